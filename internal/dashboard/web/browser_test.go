package web

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"templar/internal/dashboard/web/webtest"
)

var shots = flag.String("screenshots", "", "folder for screenshots of the page")

var painted = webtest.Painted("loss", "load", "time")

// quiet fails if a page complained, or asked another server for something.
func quiet(t *testing.T, b *webtest.Tab) {
	t.Helper()
	if problems, foreign := b.Complaints(); len(problems) > 0 || len(foreign) > 0 {
		t.Errorf("console %q, other servers %q", problems, foreign)
	}
}

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
	b := webtest.Open(t, site.URL, *shots)
	b.Do(chromedp.Navigate(site.URL), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.Until(painted)
	b.Until(webtest.Painted("tasks"))
	if n := webtest.Ask[int](b, `document.querySelectorAll('#miners tbody tr').length`); n != 64 {
		t.Errorf("%d miners", n)
	}
	// A legend has the last values, and an axis of windows no fractions; a chart without values says so.
	if got := webtest.Ask[string](b, `document.querySelector('#tasks .u-legend').textContent`); !strings.Contains(got, "window135") || !strings.Contains(got, "piqa51.7 %") {
		t.Errorf("legend of tasks: %s", got)
	}
	if !webtest.Ask[bool](b, `document.querySelector('#load').hasAttribute('data-empty') && !document.querySelector('#time').hasAttribute('data-empty')`) {
		t.Error("a chart without values is not marked, or one with values is")
	}
	if got := webtest.Ask[string](b, `document.querySelector('#scorer').textContent`); !strings.HasPrefix(got, "56 in the last Aggregate, 8 skipped; scores of") {
		t.Errorf("miners: %s", got)
	}
	b.Shot("light")
	c.window(140, time.Now())
	b.Until(`document.querySelector('#windows tbody tr td').textContent==='140'`)
	b.Until(`document.querySelector('#loss .u-legend').textContent.startsWith('window140')`)
	first := `document.querySelector('#miners tbody tr td').textContent`
	head := func(name string) {
		webtest.Ask[bool](b, `([...document.querySelectorAll('#miners th button')].find(e=>e.textContent==='`+name+`').click(),true)`)
	}
	head("score")
	if got := webtest.Ask[string](b, `document.querySelector('#miners th[aria-sort]').getAttribute('aria-sort')+document.querySelector('#miners tbody tr td:nth-child(4)').textContent`); got != "descending18.00" {
		t.Errorf("sorted by score: %s", got)
	}
	head("uid")
	head("uid")
	if got := webtest.Ask[string](b, first); got != "0" {
		t.Errorf("sorted by uid, ascending: %s", got)
	}
	// By keyboard: the filter, a miner's explanation, and back.
	b.Do(chromedp.KeyEvent("/"), chromedp.KeyEvent("cheat-3"))
	b.Until(`document.querySelectorAll('#miners tbody tr').length===1`)
	webtest.Ask[bool](b, `(document.querySelector('#miners tbody tr').focus(),true)`)
	b.Do(chromedp.KeyEvent(kb.Enter))
	b.Until(`document.querySelector('#miner').open && document.querySelector('#minerBody').textContent.includes('its gradient was')`)
	if got := webtest.Ask[string](b, `document.querySelector('#minerBody').textContent`); !strings.Contains(got, "Final score 0.000: gain relative to other miners 0.500 × binary average -0.200, as far as it is above chance × sync 0.970") {
		t.Errorf("explained by %s", got)
	}
	b.Shot("explain")
	b.Do(chromedp.KeyEvent(kb.Escape))
	b.Until(`!document.querySelector('#miner').open`)
	webtest.Ask[bool](b, `(document.querySelector('#filter').value='',document.querySelector('#filter').dispatchEvent(new Event('input')),true)`)
	b.Do(chromedp.Click("#theme"), chromedp.Click("#scale"))
	b.Until(`document.documentElement.dataset.theme==='dark' && ` + painted)
	b.Shot("dark")
	b.Do(chromedp.EmulateViewport(390, 844))
	b.Until(painted)
	if !webtest.Ask[bool](b, `[...document.querySelectorAll('.u-legend')].every(e=>e.scrollHeight<=e.clientHeight+1)`) {
		t.Error("on a phone a legend is cut off")
	}
	if over := webtest.Ask[int](b, `document.documentElement.scrollWidth-innerWidth`); over > 0 {
		t.Errorf("on a phone the page is %d pixels too wide", over)
	}
	b.Shot("phone")
	quiet(t, b)
	// The server is away, and comes back with a window more.
	mu.Lock()
	down = true
	mu.Unlock()
	site.CloseClientConnections()
	b.Until(`document.querySelector('#link').textContent==='connecting'`)
	c.window(141, time.Now())
	time.Sleep(1500 * time.Millisecond)
	mu.Lock()
	down = false
	mu.Unlock()
	b.Until(`document.querySelector('#link').textContent==='live' && document.querySelector('#windows tbody tr td').textContent==='141'`)
}

// 10,000 windows of 64 miners appear in a second and stay responsive.
func TestLongRun(t *testing.T) {
	s, c := long(t, 64, 10_000)
	site := httptest.NewServer(s)
	defer func() { site.CloseClientConnections(); site.Close() }()
	b := webtest.Open(t, site.URL, *shots)
	b.Do(chromedp.Navigate(site.URL), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.Until(painted)
	paint := webtest.Ask[float64](b, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
	c.window(10_101, time.Now())
	b.Until(`document.querySelector('#windows tbody tr td').textContent==='10101'`)
	webtest.Ask[bool](b, `(()=>{let most=0,last=performance.now(),end=last+2500;const f=n=>{most=Math.max(most,n-last);last=n;n<end?requestAnimationFrame(f):window.longest=most};requestAnimationFrame(f);return true})()`)
	b.Until(`window.longest>0`)
	longest := webtest.Ask[float64](b, `window.longest`)
	t.Logf("first paint after %.0f ms, the longest pause between two frames %.0f ms", paint, longest)
	if paint > 5000 || longest > 2000 { // generous: other work may use the machine
		t.Errorf("first paint after %.0f ms, longest pause %.0f ms", paint, longest)
	}
	if strings.Contains(webtest.Ask[string](b, `document.querySelector('#tiles').textContent`), "NaN") {
		t.Error("a tile shows NaN")
	}
}

var site = flag.String("page", "", "address of a running page, to check and to take a screenshot of")

// TestRunningPage looks at the page of a network that runs elsewhere.
func TestRunningPage(t *testing.T) {
	if *site == "" {
		t.Skip("no -page")
	}
	b := webtest.Open(t, *site, *shots)
	b.Do(chromedp.Navigate(*site), chromedp.WaitVisible(`body[data-ready="1"]`))
	b.Until(painted)
	b.Shot("page")
	quiet(t, b)
}
