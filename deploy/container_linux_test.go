package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"templar/testkit/netns"
)

// user is the image's.
const user = 65532

// container is a service of the Compose file, run as a container engine would: in namespaces
// of its own, from the image's contents, with the service's mounts and as its user.
type container struct {
	Root    string // the image's contents
	Hosts   string // file for /etc/hosts
	Mounts  []mount
	Env     []string
	Command []string // with the program
}

type mount struct{ Source, Target string }

// stageVariable asks this test's program to become a container.
const stageVariable = "TEMPLAR_TEST_CONTAINER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(stageVariable); spec != "" {
		err := enter(spec)
		fmt.Fprintln(os.Stderr, "container:", err)
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// command starts the container on a host of the network, or, without one, with no network.
func (c container) command(ctx context.Context, n *netns.Net, host string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	flags := uintptr(syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC)
	cmd := exec.CommandContext(ctx, self)
	if host != "" {
		cmd = n.Command(ctx, host, self)
	} else {
		flags |= syscall.CLONE_NEWNET
	}
	cmd.Env = append(os.Environ(), stageVariable+"="+string(spec))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // STOPSIGNAL
	return cmd, nil
}

// enter makes this process the container's: it returns only if it cannot.
func enter(spec string) error {
	var c container
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		return err
	}
	runtime.LockOSThread() // rights are those of the thread that executes the program
	if err := c.mount(); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil { // the old root lies under the new one
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := os.Chdir("/data"); err != nil {
		return err
	}
	if err := drop(); err != nil {
		return err
	}
	return unix.Exec(c.Command[0], c.Command, c.Env)
}

// mount builds the container's file system below its root and changes to it: read-only but for volumes and /tmp.
func (c container) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	steps := []struct {
		source, target, kind string
		flags                uintptr
	}{
		{c.Root, "", "", unix.MS_BIND},
		{"", "", "", unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV},
		{"proc", "proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"tmpfs", "tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV},
		{"/dev/null", "dev/null", "", unix.MS_BIND},
		{c.Hosts, "etc/hosts", "", unix.MS_BIND},
	}
	for _, s := range steps {
		if err := unix.Mount(s.source, filepath.Join(c.Root, s.target), s.kind, s.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", s.target, err)
		}
	}
	for _, m := range c.Mounts {
		if err := unix.Mount(m.Source, filepath.Join(c.Root, m.Target), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
	}
	return os.Chdir(c.Root)
}

// drop gives up all rights: cap_drop ALL, no-new-privileges, and the image's user.
func drop() error {
	for i := uintptr(0); ; i++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, i, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break // past the last one
		} else if err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(user); err != nil {
		return err
	}
	return syscall.Setuid(user)
}

// image assembles the contents of deploy/Dockerfile's image around a program.
func image(program, root string) error {
	for _, dir := range []string{"data", "tmp", "proc", "dev", "etc/ssl/certs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, file := range []string{"dev/null", "etc/hosts"} { // what container engines mount over
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			return err
		}
	}
	if out, err := exec.Command("cp", program, filepath.Join(root, "templar")).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// container is a service as it stands in the file. Volumes are folders of volumes.
func (c compose) container(name, root, hosts, volumes string) (container, error) {
	s := c.Services[name]
	out := container{Root: root, Hosts: hosts, Env: []string{"HOME=/data", "TEMPLAR_DATA_DIR=/data"}, Command: []string{"/templar"}}
	for _, arg := range s.Command {
		out.Command = append(out.Command, expand(arg))
	}
	for _, variable := range slices.Sorted(keys(s.Environment)) {
		out.Env = append(out.Env, variable+"="+expand(s.Environment[variable]))
	}
	for _, v := range s.Volumes {
		source := filepath.Join(volumes, v.source, v.subpath)
		if _, err := os.Stat(source); err != nil {
			return container{}, fmt.Errorf("%s: %w", name, err)
		}
		out.Mounts = append(out.Mounts, mount{source, v.target})
	}
	return out, nil
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// tail is the end of a container's log.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
