package device

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

//go:embed cuda13.txt
var cuda13 []byte

// Install installs the engine of a platform into a folder with pip: wheels by hash, without what
// they depend on. It writes pip's progress to out.
func Install(ctx context.Context, platform, dir string, out io.Writer) (err error) {
	if platform != "cuda13" {
		return fmt.Errorf("engine %q: want cuda13", platform)
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the wheels of %s are for linux/amd64, and this is %s/%s", platform, runtime.GOOS, runtime.GOARCH)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("python3 is not installed: pip downloads the wheels, and nothing of Python runs afterwards")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, cuda13, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "2.5 GB to download, and 3.8 GiB on disk in %s\n", dir)
	c := exec.CommandContext(ctx, python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--require-hashes",
		"--only-binary", ":all:", "--upgrade", "--target", dir, "--requirement", list)
	c.Stdout, c.Stderr = out, out
	if err := c.Run(); err != nil {
		return fmt.Errorf("pip: %w", err)
	}
	return nil
}

// Size is the bytes of the files in a folder.
func Size(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
