// Command release builds what a release consists of: an archive for each system, shell
// completions, man pages, a bill of materials and checksums. The same commit and Go version give
// the same bytes on any machine.
//
//	go run ./deploy/release -version v0.3.0 -out dist
//	go run ./deploy/release -version v0.3.0 -out dist -only linux/amd64
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// targets are the systems that a release has a binary for.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// tags leave out gRPC's tracing pages: they use html/template, and with that package in a program
// the linker keeps every exported method of every type (docs/reference/release.md has the figures).
const tags = "grpcnotrace"

// sbom writes the bill of materials.
const sbom = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var r release
	flag.StringVar(&r.version, "version", "", "version of the release: vMAJOR.MINOR.PATCH, optionally with -SUFFIX")
	flag.StringVar(&r.out, "out", "dist", "folder to write to")
	only := flag.String("only", "", "systems to build for, with commas between them (default all): "+strings.Join(targets, ","))
	flag.BoolVar(&r.noSBOM, "no-sbom", false, "leave out the bill of materials, whose tool is fetched from the module proxy")
	flag.Parse()
	r.targets = targets
	if *only != "" {
		r.targets = strings.Split(*only, ",")
	}
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

type release struct {
	version, out string
	targets      []string
	noSBOM       bool
	commit       string
	date         time.Time // of the commit, the time of all files in archives
}

var versionForm = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

func (r *release) run(ctx context.Context) error {
	if !versionForm.MatchString(r.version) {
		return fmt.Errorf("-version %q: want vMAJOR.MINOR.PATCH, as in v0.3.0 or v0.3.0-rc.1", r.version)
	}
	for _, t := range r.targets {
		if !slices.Contains(targets, t) {
			return fmt.Errorf("-only %s: want some of %s", t, strings.Join(targets, ","))
		}
	}
	if err := r.readCommit(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o777); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "templar-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	pages, err := r.pages(ctx, work)
	if err != nil {
		return err
	}
	var made []string
	for _, t := range r.targets {
		name, err := r.build(ctx, work, t, pages)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		made = append(made, name)
	}
	if !r.noSBOM {
		name := fmt.Sprintf("templar_%s.cdx.json", r.version)
		text, err := command(ctx, nil, "go", "run", sbom, "app", "-json", "-licenses", "-noserial", "-main", "cmd/templar", ".")
		if err != nil {
			return err
		}
		if err := r.writeSBOM(filepath.Join(r.out, name), []byte(text)); err != nil {
			return err
		}
		made = append(made, name)
	}
	return r.checksums(made)
}

// writeSBOM writes a bill of materials without what differs each time: the time at which it was made, and the
// hashes of the tool, which was built on this machine.
func (r *release) writeSBOM(file string, text []byte) error {
	var bill map[string]any
	if err := json.Unmarshal(text, &bill); err != nil {
		return fmt.Errorf("bill of materials: %w", err)
	}
	metadata, ok := bill["metadata"].(map[string]any)
	if !ok {
		return errors.New("the bill of materials has no metadata")
	}
	metadata["timestamp"] = r.date.Format(time.RFC3339)
	tools, _ := metadata["tools"].([]any)
	for _, t := range tools {
		if t, ok := t.(map[string]any); ok {
			delete(t, "hashes")
		}
	}
	out, err := json.MarshalIndent(bill, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(out, '\n'), 0o666)
}

// readCommit refuses a working tree that differs from its commit: its binaries would carry the
// name of a source that they are not built from.
func (r *release) readCommit(ctx context.Context) error {
	dirty, err := command(ctx, nil, "git", "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return err
	}
	if dirty != "" {
		return fmt.Errorf("the working tree differs from its commit: commit or stash\n%s", dirty)
	}
	text, err := command(ctx, nil, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return err
	}
	var seconds int64
	if _, err := fmt.Sscanf(text, "%s %d", &r.commit, &seconds); err != nil {
		return fmt.Errorf("git log: %q: %w", text, err)
	}
	r.date = time.Unix(seconds, 0).UTC()
	return nil
}

// pages generates completions and man pages, and returns their paths in an archive.
func (r *release) pages(ctx context.Context, work string) (map[string][]byte, error) {
	host := filepath.Join(work, "host")
	if err := r.compile(ctx, "templar", host, nil); err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	for shell, file := range map[string]string{"bash": "templar.bash", "zsh": "_templar", "fish": "templar.fish", "powershell": "templar.ps1"} {
		text, err := command(ctx, nil, host, "completion", shell)
		if err != nil {
			return nil, err
		}
		pages["completions/"+file] = []byte(text + "\n")
	}
	man := filepath.Join(work, "man")
	if _, err := command(ctx, nil, "go", "run", "./docs/gen", "-man", man, "-date", r.date.Format(time.DateOnly), "-version", r.version); err != nil {
		return nil, err
	}
	for name := range pages { // fail early on an empty one
		if len(pages[name]) < 100 {
			return nil, fmt.Errorf("%s is empty", name)
		}
	}
	files, err := filepath.Glob(filepath.Join(man, "*.1"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(errors.New("no man pages were made"), err)
	}
	for _, f := range files {
		if pages["man/"+filepath.Base(f)], err = os.ReadFile(f); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		if pages[name], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// compile builds a program of cmd for the system that env names.
func (r *release) compile(ctx context.Context, program, to string, env []string) error {
	_, err := command(ctx, append(env, "CGO_ENABLED=0", "GOFLAGS="), "go", "build", "-trimpath", "-tags", tags, "-buildvcs=true",
		"-ldflags", "-s -w -buildid= -X main.released="+r.version, "-o", to, "./cmd/"+program)
	return err
}

// build makes the archive of one system and returns its name.
func (r *release) build(ctx context.Context, work, target string, pages map[string][]byte) (string, error) {
	system, arch, _ := strings.Cut(target, "/")
	programs, suffix := []string{"templar", "templar-xla"}, ""
	if system == "windows" {
		programs, suffix = programs[:1], ".exe" // plug-ins of devices are not loaded there
	}
	base := fmt.Sprintf("templar_%s_%s_%s", r.version, system, arch)
	var files []file
	size := 0
	for _, program := range programs {
		binary := filepath.Join(work, program+"-"+system+"-"+arch)
		// GOAMD64 and GOARM64 of the environment would change the instructions.
		if err := r.compile(ctx, program, binary, []string{"GOOS=" + system, "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0"}); err != nil {
			return "", err
		}
		body, err := os.ReadFile(binary)
		if err != nil {
			return "", err
		}
		files = append(files, file{base + "/" + program + suffix, 0o755, body})
		size += len(body)
	}
	for name, text := range pages {
		files = append(files, file{base + "/" + name, 0o644, text})
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	name, write := base+".tar.gz", writeTar
	if system == "windows" {
		name, write = base+".zip", writeZip
	}
	var archive bytes.Buffer
	if err := write(&archive, files, r.date); err != nil {
		return "", err
	}
	fmt.Printf("%-45s %5.1f MB, its programs %.1f MB\n", name, mega(archive.Len()), mega(size))
	return name, os.WriteFile(filepath.Join(r.out, name), archive.Bytes(), 0o666)
}

func mega(n int) float64 { return float64(n) / 1e6 }

type file struct {
	name string
	mode int64
	body []byte
}

// writeTar writes what is the same for the same files: one owner, one time.
func writeTar(w io.Writer, files []file, date time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.body)), ModTime: date, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.body); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func writeZip(w io.Writer, files []file, date time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		part, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: date})
		if err != nil {
			return err
		}
		if _, err := part.Write(f.body); err != nil {
			return err
		}
	}
	return z.Close()
}

// checksums writes SHA256SUMS in the form that sha256sum -c reads.
func (r *release) checksums(names []string) error {
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), path.Base(name))
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(text.String()), 0o666)
}

// command runs a program and returns its output without the last line break.
func command(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, problems.Bytes())
	}
	return strings.TrimRight(out.String(), "\n"), nil
}
