package device

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// PluginVariable names the file, or the folder, of the plug-in for cuda.
const PluginVariable = "TEMPLAR_PJRT_PLUGIN"

// InstallCommand makes what Find looks for.
const InstallCommand = "templar engine install cuda13"

// Folder is where the engine of a platform is installed for this user.
func Folder(platform string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "templar", "engine", platform), nil
}

// Find returns the file of the plug-in.
func (s Spec) Find() (string, error) {
	if s.Path != "" {
		plugin, err := inFolder(s.Path, "*")
		if err != nil {
			return "", fmt.Errorf("plug-in: %w: name its file, or the folder into which pip has installed it", err)
		}
		return plugin, nil
	}
	if path := os.Getenv(PluginVariable); path != "" {
		plugin, err := inFolder(path, "xla_cuda*")
		if err != nil {
			return "", fmt.Errorf("%s: %w", PluginVariable, err)
		}
		return plugin, nil
	}
	for _, dir := range places() {
		if plugin, err := inFolder(dir, "xla_cuda*"); err == nil {
			return plugin, nil
		}
	}
	return "", fmt.Errorf("no CUDA plug-in is installed: `%s` installs it, or name its file or folder in %s", InstallCommand, PluginVariable)
}

// Found lists the plug-ins of CUDA on this machine.
func Found() (plugins []string) {
	for _, dir := range append([]string{os.Getenv(PluginVariable)}, places()...) {
		if dir == "" {
			continue
		}
		if p, err := inFolder(dir, "xla_cuda*"); err == nil && !slices.Contains(plugins, p) {
			plugins = append(plugins, p)
		}
	}
	return plugins
}

// places are the folders that hold wheels, in the order in which they are looked at.
func places() (dirs []string) {
	if dir, err := Folder("cuda13"); err == nil {
		dirs = append(dirs, dir)
	}
	home, _ := os.UserHomeDir()
	for _, pattern := range []string{
		cmp.Or(os.Getenv("VIRTUAL_ENV"), "-") + "/lib/python3*/site-packages",
		cmp.Or(os.Getenv("CONDA_PREFIX"), "-") + "/lib/python3*/site-packages",
		cmp.Or(home, "-") + "/.local/lib/python3*/site-packages",
		"/usr/local/lib/python3*/site-packages", "/usr/local/lib/python3*/dist-packages", "/usr/lib/python3/dist-packages",
	} {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found) // the newest Python first
		dirs = append(dirs, found...)
	}
	return dirs
}

// inFolder finds a plug-in in a folder of wheels, in the layout of pip, or is the file itself.
func inFolder(path, plugin string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, pattern := range []string{"jax_plugins/" + plugin + "/*plugin*.so", "*plugin*.so", "*/*pjrt*plugin*.so", "*/*pjrt*.so", "*plugin*.dylib"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			slices.Sort(found)
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s: %w", path, errNone)
}

var errNone = errors.New("the folder has no PJRT plug-in")
