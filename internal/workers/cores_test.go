package workers_test

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"

	"templar/internal/workers"
)

func TestCoresStay(t *testing.T) {
	cores := workers.Cores()
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	t.Setenv("GOMAXPROCS", "")
	workers.LeaveRoom()
	workers.LeaveRoom()
	if got := runtime.GOMAXPROCS(0); got != 2*cores || workers.Cores() != cores {
		t.Errorf("GOMAXPROCS is %d, and %d cores: want %d and %d", got, workers.Cores(), 2*cores, cores)
	}
}

// An answer over loopback while every core computes, as in a node that trains: with as many threads as cores, and with
// the room that LeaveRoom leaves.
func BenchmarkAnswerWhileComputing(b *testing.B) {
	for _, c := range []struct {
		name    string
		threads int
	}{{"cores", workers.Cores()}, {"room", 2 * workers.Cores()}} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.threads))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() {
				if conn, err := l.Accept(); err == nil {
					_, _ = io.Copy(conn, conn)
					conn.Close()
				}
			}()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			var over atomic.Bool
			defer over.Store(true)
			for range workers.Cores() {
				go func() {
					for !over.Load() {
						for range 1 << 16 { // computing, as an engine's kernels do
						}
					}
				}()
			}
			for one := make([]byte, 1); b.Loop(); {
				if _, err := conn.Write(one); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, one); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
