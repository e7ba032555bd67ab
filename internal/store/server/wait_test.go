package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"templar/internal/store/server"
)

// serve runs a server on loopback until the test ends, and returns its address.
func serve(t *testing.T, c server.Config) string {
	t.Helper()
	c.Keys = append(c.Keys, admin)
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s, err := server.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// plain is a client of that address.
func plain(t *testing.T, address string, key server.Key) *minio.Core {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return dialMinio(t, address, key, tr)
}

// dialAs opens a connection and sends the head of a presigned request, and what follows it.
func dialAs(t *testing.T, c *minio.Core, method, key, header string) net.Conn {
	t.Helper()
	u, err := c.Presign(t.Context(), method, "bucket", key, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dialRaw(t, u.Host, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, u.RequestURI(), u.Host, header))
}

func dialRaw(t *testing.T, address, head string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, head)
	return conn
}

func statusLine(conn net.Conn) string {
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

const waits = "Expect: 100-continue\r\nContent-Length: 3\r\n"

// TestRefusalReachesAClientThatWaits: who asks before sending is answered, and let go, whatever
// the cause of the refusal. With a patience of minutes none of this may take one.
func TestRefusalReachesAClientThatWaits(t *testing.T) {
	reader := server.Key{AccessKey: "reader", Secret: "r-secret", Grants: []server.Grant{{Bucket: "bucket"}}}
	address := serve(t, server.Config{Keys: []server.Key{reader}, Patience: 10 * time.Minute, MaxBody: 1000})
	c := plain(t, address, admin)
	putObject(t, c, "taken", "x")
	for name, conn := range map[string]net.Conn{
		"403 no key":        dialRaw(t, address, "PUT /bucket/x HTTP/1.1\r\nHost: h\r\n"+waits+"\r\n"),
		"403 reader":        dialAs(t, plain(t, address, reader), "PUT", "x", waits),
		"400 too large":     dialAs(t, c, "PUT", "x", "Expect: 100-continue\r\nContent-Length: 1000000\r\n"),
		"411 no length":     dialAs(t, c, "PUT", "x", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"),
		"412 key is taken":  dialAs(t, c, "PUT", "taken", waits+"If-None-Match: *\r\n"),
		"400 bad digest":    dialAs(t, c, "PUT", "x", waits+"Content-MD5: AAAA\r\n"),
		"400 Content-Range": dialAs(t, c, "PUT", "x", waits+"Content-Range: bytes 0-2/3\r\n"),
		"404 no such key":   dialAs(t, c, "PUT", "absent", waits+"If-Match: *\r\n"),
	} {
		answer, err := io.ReadAll(conn) // until the server hangs up
		want, _, _ := strings.Cut(name, " ")
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	// Who is not refused is asked.
	conn := dialAs(t, c, "PUT", "new", waits)
	if s := statusLine(conn); s != "HTTP/1.1 100 Continue" {
		t.Errorf("a good request: %q", s)
	}
}

// TestEveryWaitEnds: whatever a client leaves out, its connection is closed after the patience,
// a little more or less.
func TestEveryWaitEnds(t *testing.T) {
	const patience = 300 * time.Millisecond
	address := serve(t, server.Config{Patience: patience})
	c := plain(t, address, admin)
	for name, conn := range map[string]net.Conn{
		"keyless, no body":           dialRaw(t, address, "PUT /bucket/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"),
		"keyless, half a body":       dialRaw(t, address, "PUT /bucket/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"),
		"keyless, chunked":           dialRaw(t, address, "PUT /bucket/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
		"asked, and says nothing":    dialAs(t, c, "PUT", "x", waits),
		"refused, and says nothing":  dialAs(t, c, "PUT", "x", "Content-Length: 10\r\nContent-MD5: AAAA\r\n"),
		"deletes, and sends no body": dialAs(t, c, "DELETE", "x", "Content-Length: 10\r\n"),
	} {
		begun := time.Now()
		answer, err := io.ReadAll(conn)
		if took := time.Since(begun); err != nil || took > 20*time.Second {
			t.Errorf("%s: %q, %v after %v", name, answer, err, took)
		}
	}
}

// TestLeastRate: a sender that moves on with each look at the clock, and yet does not move, is
// cut off all the same.
func TestLeastRate(t *testing.T) {
	const patience = 200 * time.Millisecond
	address := serve(t, server.Config{Patience: patience})
	conn := dialAs(t, plain(t, address, admin), "PUT", "x", "Content-Length: 100000\r\n")
	answered := make(chan string, 1)
	go func() { answered <- statusLine(conn) }()
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case s := <-answered:
			if s != "HTTP/1.1 400 Bad Request" {
				t.Errorf("%q", s)
			}
			return
		case <-tick.C:
			if n > 200 {
				t.Fatal("a byte at a time goes on for ever")
			}
			conn.Write([]byte("x"))
		}
	}
}

// TestStrangersKeepNobodyOut: three hundred connections that never send a good request leave
// room for those that do, and what is idle of known clients is the last to go.
func TestStrangersKeepNobodyOut(t *testing.T) {
	address := serve(t, server.Config{MaxConnections: 32})
	c := plain(t, address, admin)
	putObject(t, c, "key", "data")
	for i := range 300 {
		head := []string{"", "PUT /bucket/x HTTP/1.1\r\n", "PUT /bucket/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"}[i%3]
		dialRaw(t, address, head)
	}
	if got, _ := getObject(t, c, "key"); got != "data" {
		t.Errorf("on the old connection: %q", got)
	}
	if got, _ := getObject(t, plain(t, address, admin), "key"); got != "data" {
		t.Errorf("on a new connection: %q", got)
	}
}

// TestReadersLeaveRoom: GETs with the key that is public, whose answers are not read, hold up
// neither those that can write nor readers, also with the same key.
func TestReadersLeaveRoom(t *testing.T) {
	public := server.Key{AccessKey: "public", Secret: "p-secret", Grants: []server.Grant{{Bucket: "bucket"}}}
	other := server.Key{AccessKey: "other", Secret: "o-secret", Grants: []server.Grant{{Bucket: "bucket"}}}
	address := serve(t, server.Config{Keys: []server.Key{public, other}, MaxRequests: 8})
	c := plain(t, address, admin)
	putObject(t, c, "big", strings.Repeat("x", 16<<20))
	for range 20 {
		dialAs(t, plain(t, address, public), "GET", "big", "")
	}
	for name, key := range map[string]server.Key{"the owner": admin, "another reader": other, "a reader with the same key": public} {
		for range 3 {
			if _, err := plain(t, address, key).StatObject(t.Context(), "bucket", "big", minio.StatObjectOptions{}); err != nil {
				t.Errorf("%s is kept out: %v", name, err)
			}
		}
	}
	putObject(t, c, "new", "data")
}

// TestPublicKeysShareTheRate: what the public keys read together is bounded, and those that can write do not wait for it.
func TestPublicKeysShareTheRate(t *testing.T) {
	const rate, requests = 20, 30
	public := server.Key{AccessKey: "public", Secret: "p-secret", Grants: []server.Grant{{Bucket: "bucket"}}}
	address := serve(t, server.Config{Keys: []server.Key{public}, MaxReads: rate})
	reader, owner := plain(t, address, public), plain(t, address, admin)
	putObject(t, owner, "small", "data")
	asks := func(c *minio.Core) time.Duration {
		begun := time.Now()
		for range requests {
			if _, err := c.StatObject(t.Context(), "bucket", "small", minio.StatObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(begun)
	}
	asks(owner)
	if took, least := asks(reader), time.Duration(requests-15)*time.Second/rate; took < least {
		t.Errorf("%d reads with a public key took %v, at least %v are its share", requests, took, least)
	}
}

// TestWritersLeaveRoom: two miners whose uploads stand still do not keep the others out.
func TestWritersLeaveRoom(t *testing.T) {
	var hostile []server.Key
	for _, name := range []string{"a", "b"} {
		hostile = append(hostile, server.Key{AccessKey: "miner-" + name, Secret: "secret-of-it", Grants: []server.Grant{{Bucket: "bucket", Write: true}}})
	}
	address := serve(t, server.Config{Keys: hostile, MaxRequests: 8})
	for i := range 20 {
		conn := dialAs(t, plain(t, address, hostile[i%2]), "PUT", fmt.Sprint("slow", i), "Content-Length: 1000000\r\n")
		fmt.Fprint(conn, strings.Repeat("x", 1000))
	}
	putObject(t, plain(t, address, admin), "new", "data")
}
