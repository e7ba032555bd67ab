// Package webtest opens pages in a browser, for tests. They are skipped where there is no Chromium.
package webtest

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Tab is a page in a browser, and what it complained of.
type Tab struct {
	context.Context
	t     *testing.T
	shots string

	mu struct {
		sync.Mutex
		problems, foreign []string
	}
}

// Open opens a browser, in light colours, for the page at site: requests to all other servers are
// foreign. Screenshots are written to the folder shots; empty: none are taken.
func Open(t *testing.T, site, shots string) *Tab {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds of wall time")
	}
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	if found == "" {
		t.Skip("no Chromium is installed (Debian: apt install chromium)")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"), chromedp.WindowSize(1440, 1100))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b := &Tab{Context: ctx, t: t, shots: shots}
	if err := chromedp.Listen(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.mu.problems = append(b.mu.problems, e.ExceptionDetails.Text)
		case *cdplog.EventEntryAdded:
			if (e.Entry.Level == "error" || e.Entry.Level == "warning") && !strings.Contains(e.Entry.Text, "willReadFrequently") { // which is of this test
				b.mu.problems = append(b.mu.problems, e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" && "http://"+u.Host != site {
				b.mu.foreign = append(b.mu.foreign, e.Request.URL)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.Colours("light")
	return b
}

// Complaints are the errors and warnings of the page's console, and its requests to other servers.
func (b *Tab) Complaints() (problems, foreign []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mu.problems), slices.Clone(b.mu.foreign)
}

// Colours sets what the system prefers: light or dark.
func (b *Tab) Colours(scheme string) {
	b.t.Helper()
	if _, err := chromedp.Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.t.Fatal(err)
	}
}

// Do takes steps in the page.
func (b *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// Ask evaluates a script in the page.
func Ask[T any](b *Tab, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// Until waits for a condition in the page.
func (b *Tab) Until(script string) {
	b.t.Helper()
	for range 600 {
		if Ask[bool](b, script) {
			return
		}
		time.Sleep(100 * time.Millisecond) // a browser's time is real
	}
	b.t.Fatalf("never true: %s", script)
}

// Shot takes a screenshot of the whole page.
func (b *Tab) Shot(name string) {
	b.t.Helper()
	if b.shots == "" {
		return
	}
	Ask[bool](b, `(scrollTo(0,0),true)`)
	time.Sleep(500 * time.Millisecond)
	png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.shots, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// Painted is true in a page whose charts with these names are drawn.
func Painted(charts ...string) string {
	return `['` + strings.Join(charts, `','`) + `'].every(id=>{const c=document.querySelector('#'+id+' canvas');if(!c)return false;const d=c.getContext('2d').getImageData(0,0,c.width,c.height).data;let n=0;for(let i=3;i<d.length;i+=4)n+=d[i]>0;return n>2000})`
}
