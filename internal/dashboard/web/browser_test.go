package web

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var shots = flag.String("screenshots", "", "folder for screenshots of the page")

// tab is a page in a browser, and what it complained of.
type tab struct {
	context.Context
	t  *testing.T
	mu sync.Mutex

	problems, foreign []string
}

func openBrowser(t *testing.T, site string) *tab {
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
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	b := &tab{Context: ctx, t: t}
	if err := chromedp.Listen(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.problems = append(b.problems, e.ExceptionDetails.Text)
		case *cdplog.EventEntryAdded:
			if (e.Entry.Level == "error" || e.Entry.Level == "warning") && !strings.Contains(e.Entry.Text, "willReadFrequently") { // which is of this test
				b.problems = append(b.problems, e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" && "http://"+u.Host != site {
				b.foreign = append(b.foreign, e.Request.URL)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.colours("light")
	return b
}

// colours sets what the system prefers.
func (b *tab) colours(scheme string) {
	b.t.Helper()
	if _, err := chromedp.Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func ask[T any](b *tab, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits for a condition in the page.
func (b *tab) until(script string) {
	b.t.Helper()
	for range 150 {
		if ask[bool](b, script) {
			return
		}
		time.Sleep(100 * time.Millisecond) // a browser's time is real
	}
	b.t.Errorf("never true: %s", script)
}

func (b *tab) shot(name string) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	time.Sleep(500 * time.Millisecond)
	png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

const painted = `['loss','load','time'].every(id=>{const c=document.querySelector('#'+id+' canvas');if(!c)return false;const d=c.getContext('2d').getImageData(0,0,c.width,c.height).data;let n=0;for(let i=3;i<d.length;i+=4)n+=d[i]>0;return n>2000})`

// The page of a network of 64 miners, of which 8 cheat: values move, tables sort, nothing is asked of
// another server, and the page goes on after its server has been away.
func TestPage(t *testing.T) {
	s, c, _ := ran(t, 64, 40)
	var mu sync.Mutex
	down := false
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		away := down
		mu.Unlock()
		if away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.ServeHTTP(w, r)
	}))
	defer func() { site.CloseClientConnections(); site.Close() }()
	b := openBrowser(t, site.URL)
	b.do(chromedp.Navigate(site.URL), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.until(painted)
	if n := ask[int](b, `document.querySelectorAll('#miners tbody tr').length`); n != 64 {
		t.Errorf("%d miners", n)
	}
	b.shot("light")
	c.window(140, time.Now())
	b.until(`document.querySelector('#windows tbody tr td').textContent==='140'`)
	first := `document.querySelector('#miners tbody tr td').textContent`
	head := func(name string) {
		ask[bool](b, `([...document.querySelectorAll('#miners th button')].find(e=>e.textContent==='`+name+`').click(),true)`)
	}
	head("score")
	if got := ask[string](b, `document.querySelector('#miners th[aria-sort]').getAttribute('aria-sort')+document.querySelector('#miners tbody tr td:nth-child(4)').textContent`); got != "descending18.00" {
		t.Errorf("sorted by score: %s", got)
	}
	head("uid")
	head("uid")
	if got := ask[string](b, first); got != "0" {
		t.Errorf("sorted by uid, ascending: %s", got)
	}
	// By keyboard: the filter, a miner's explanation, and back.
	b.do(chromedp.KeyEvent("/"), chromedp.KeyEvent("cheat-3"))
	b.until(`document.querySelectorAll('#miners tbody tr').length===1`)
	ask[bool](b, `(document.querySelector('#miners tbody tr').focus(),true)`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('#miner').open && document.querySelector('#minerBody').textContent.includes('its gradient was')`)
	b.shot("explain")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('#miner').open`)
	ask[bool](b, `(document.querySelector('#filter').value='',document.querySelector('#filter').dispatchEvent(new Event('input')),true)`)
	b.do(chromedp.Click("#theme"), chromedp.Click("#scale"))
	b.until(`document.documentElement.dataset.theme==='dark' && ` + painted)
	b.shot("dark")
	b.do(chromedp.EmulateViewport(390, 844))
	b.until(painted)
	if over := ask[int](b, `document.documentElement.scrollWidth-innerWidth`); over > 0 {
		t.Errorf("on a phone the page is %d pixels too wide", over)
	}
	b.shot("phone")
	b.mu.Lock()
	if len(b.problems) > 0 || len(b.foreign) > 0 {
		t.Errorf("console %q, other servers %q", b.problems, b.foreign)
	}
	b.mu.Unlock()
	// The server is away, and comes back with a window more.
	mu.Lock()
	down = true
	mu.Unlock()
	site.CloseClientConnections()
	b.until(`document.querySelector('#link').textContent==='connecting'`)
	c.window(141, time.Now())
	time.Sleep(1500 * time.Millisecond)
	mu.Lock()
	down = false
	mu.Unlock()
	b.until(`document.querySelector('#link').textContent==='live' && document.querySelector('#windows tbody tr td').textContent==='141'`)
}

// 10,000 windows of 64 miners appear in a second and stay responsive.
func TestLongRun(t *testing.T) {
	s, c := long(t, 64, 10_000)
	site := httptest.NewServer(s)
	defer func() { site.CloseClientConnections(); site.Close() }()
	b := openBrowser(t, site.URL)
	b.do(chromedp.Navigate(site.URL), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.until(painted)
	paint := ask[float64](b, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
	c.window(10_101, time.Now())
	b.until(`document.querySelector('#windows tbody tr td').textContent==='10101'`)
	ask[bool](b, `(()=>{let most=0,last=performance.now(),end=last+2500;const f=n=>{most=Math.max(most,n-last);last=n;n<end?requestAnimationFrame(f):window.longest=most};requestAnimationFrame(f);return true})()`)
	b.until(`window.longest>0`)
	longest := ask[float64](b, `window.longest`)
	t.Logf("first paint after %.0f ms, the longest pause between two frames %.0f ms", paint, longest)
	if paint > 5000 || longest > 2000 { // generous: other work may use the machine
		t.Errorf("first paint after %.0f ms, longest pause %.0f ms", paint, longest)
	}
	if strings.Contains(ask[string](b, `document.querySelector('#tiles').textContent`), "NaN") {
		t.Error("a tile shows NaN")
	}
}

var site = flag.String("page", "", "address of a running page, to check and to take a screenshot of")

// TestRunningPage looks at the page of a network that runs elsewhere.
func TestRunningPage(t *testing.T) {
	if *site == "" {
		t.Skip("no -page")
	}
	b := openBrowser(t, *site)
	b.do(chromedp.Navigate(*site), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.until(painted)
	b.shot("page")
	if len(b.problems) > 0 || len(b.foreign) > 0 {
		t.Errorf("console %q, other servers %q", b.problems, b.foreign)
	}
}
