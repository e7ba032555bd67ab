package localnet

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"templar/internal/dashboard/web/webtest"
)

var (
	shots   = flag.String("screenshots", "", "folder for screenshots of the page")
	windows = flag.Uint64("page-windows", 4, "windows of the network whose page is looked at")
)

// The page of a network that trains, in a browser: values move, curves are drawn, tables sort,
// nothing is asked of another server; and when the process has ended and another one continues
// the run at the same address, the page reconnects without a reload.
func TestPageOfALiveNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some windows of wall time")
	}
	o := options(t, *windows)
	o.Miners, o.Adversaries, o.Serve, o.Admin = 3, mix(t, "nan,lazy"), true, freeAddress(t)
	o.Tasks = "piqa=" + questions(t)
	site := "http://" + o.Admin
	b := webtest.Open(t, site, *shots) // first: without a browser the test is skipped before anything runs

	stop := serveNetwork(t, o)
	waitFor(t, site)
	b.Do(chromedp.Navigate(site), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.Until(`document.querySelector('#link').textContent==='live'`)
	block := webtest.Ask[string](b, `document.querySelector('#block').textContent`)
	b.Until(fmt.Sprintf(`document.querySelector('#block').textContent!==%q`, block))
	const windowsDone = `document.querySelectorAll('#windows tbody tr').length`
	b.Until(windowsDone + `>=1`)
	state := webtest.Ask[string](b, `document.querySelector('#windows tbody tr').textContent`)
	b.Until(fmt.Sprintf(windowsDone+`>=2 && document.querySelector('#windows tbody tr').textContent!==%q`, state))
	b.Until(webtest.Painted("loss", "load", "time"))
	b.Until(`!!document.querySelector('#tasks .u-legend')?.textContent.includes('piqa')`)
	if n := webtest.Ask[int](b, `document.querySelectorAll('#miners tbody tr').length`); n != 5 {
		t.Errorf("%d miners, want 5", n)
	}
	for _, order := range []string{"descending", "ascending"} {
		uids := webtest.Ask[[]int](b, `(document.querySelector('#miners th button').click(),[...document.querySelectorAll('#miners tbody tr')].map(r=>+r.cells[0].textContent))`)
		for i := 1; i < len(uids); i++ {
			if (uids[i] < uids[i-1]) != (order == "descending") {
				t.Errorf("uids %s: %v", order, uids)
			}
		}
	}
	b.Shot("live")
	if problems, foreign := b.Complaints(); len(problems) > 0 || len(foreign) > 0 {
		t.Errorf("console %q, other servers %q", problems, foreign)
	}

	done := webtest.Ask[int](b, windowsDone)
	stop()
	b.Until(`document.querySelector('#link').textContent==='connecting'`)
	o.Windows += 2
	stop = serveNetwork(t, o)
	b.Until(fmt.Sprintf(`document.querySelector('#link').textContent==='live' && %s>=%d && document.querySelector('#left').textContent==='the run has ended'`, windowsDone, done+1))
	b.Until(`document.querySelector('#tiles').textContent.includes('nodes agree')`)
	b.Shot("live-end")
	b.Colours("dark")
	b.Shot("live-dark")
	stop()
}

// serveNetwork runs a network until stop, which waits for its end.
func serveNetwork(t *testing.T, o Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// waitFor waits until a server answers.
func waitFor(t *testing.T, site string) {
	t.Helper()
	for range 600 {
		if resp, err := http.Get(site + "/livez"); err == nil {
			resp.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			return
		}
		time.Sleep(100 * time.Millisecond) // a network's time is real here
	}
	t.Fatal("the admin server does not answer")
}

// questions writes a small task of two answers.
func questions(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, `{"goal":"To see colour number %d","sol1":"hold a prism to the light.","sol2":"qqzx vvkj 77 ##.","label":%d}`+"\n", i, 0)
	}
	file := filepath.Join(t.TempDir(), "piqa.jsonl")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// freeAddress is an address that stays free until it is used again.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
