// Package deploy holds the files of this folder to what they promise.
package deploy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// compose is what the tests read of a Compose file.
type compose struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image string `yaml:"image"`
	Build *struct {
		Args map[string]string `yaml:"args"`
	} `yaml:"build"`
	Profiles    []string          `yaml:"profiles"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []volume          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	ReadOnly    bool              `yaml:"read_only"`
	Tmpfs       []string          `yaml:"tmpfs"`
	CapDrop     []string          `yaml:"cap_drop"`
	CapAdd      []string          `yaml:"cap_add"`
	SecurityOpt []string          `yaml:"security_opt"`
	Privileged  bool              `yaml:"privileged"`
	PidsLimit   int               `yaml:"pids_limit"`
	NetworkMode string            `yaml:"network_mode"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
}

// volume is a mount in either of its forms.
type volume struct{ source, target, subpath string }

func (v *volume) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		parts := strings.Split(expand(n.Value), ":")
		v.source, v.target = parts[0], parts[1]
		return nil
	}
	var long struct {
		Source, Target string
		Volume         struct{ Subpath string }
	}
	if err := n.Decode(&long); err != nil {
		return err
	}
	v.source, v.target, v.subpath = long.Source, long.Target, long.Volume.Subpath
	return nil
}

// expand puts in the defaults of variables: ${NAME:-default}.
func expand(text string) string {
	return os.Expand(text, func(name string) string {
		_, value, _ := strings.Cut(name, ":-")
		return value
	})
}

func readCompose(t *testing.T) compose {
	t.Helper()
	b, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// members are the services of a profile, in order of their names.
func (c compose) members(profile string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name, s := range c.Services {
			if slices.Contains(s.Profiles, profile) && !yield(name) {
				return
			}
		}
	})
}

// Every container of every profile has no rights that it does not need, and an image of one version.
func TestComposeIsHardened(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged ||
			!slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.PidsLimit == 0 || s.NetworkMode == "host" {
			t.Errorf("%s is not hardened: %+v", name, s)
		}
		if len(s.Profiles) != 1 {
			t.Errorf("%s is in the profiles %q, want one", name, s.Profiles)
		}
		if _, version, _ := strings.Cut(expand(s.Image), ":"); version == "" || version == "latest" && !strings.HasPrefix(s.Image, "templar:") {
			t.Errorf("%s has the image %q without a version", name, s.Image)
		}
		if _, tag, _ := strings.Cut(s.Image, ":${"); s.Build != nil && s.Build.Args["VERSION"] != "${"+strings.Replace(tag, ":-latest", ":-", 1) {
			t.Errorf("%s: the image %s is built as version %q", name, s.Image, s.Build.Args["VERSION"])
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s to other machines", name, p)
			}
		}
		for _, v := range s.Volumes {
			if strings.Contains(v.source, "docker.sock") {
				t.Errorf("%s has the Docker socket", name)
			}
			if named := !strings.ContainsAny(v.source, "./~"); named {
				if _, ok := c.Volumes[v.source]; !ok {
					t.Errorf("%s mounts %s, which is no volume", name, v.source)
				}
			} else if _, err := os.Stat(v.source); err != nil && strings.HasPrefix(v.source, "./") && v.source != "./run.json" {
				t.Errorf("%s mounts a file that is not here: %v", name, err)
			}
		}
	}
}

// A member of the network has its own folder of the volume and no other's, and says how it is.
func TestComposeNetworkSharesNoSecrets(t *testing.T) {
	c := readCompose(t)
	roles := map[string]int{}
	for _, name := range c.members("network") {
		s := c.Services[name]
		role, _, _ := strings.Cut(name, "-")
		roles[role]++
		if name == "prepare" {
			continue
		}
		if want := []volume{{"network", "/data", "net/" + name}}; !slices.Equal(s.Volumes, want) {
			t.Errorf("%s mounts %+v, want %+v", name, s.Volumes, want)
		}
		if len(s.Healthcheck.Test) < 2 || s.DependsOn["prepare"].Condition != "service_completed_successfully" {
			t.Errorf("%s has no health check, or does not wait for prepare", name)
		}
	}
	want := map[string]int{"prepare": 1, "store": 1, "chain": 4, "validator": 2, "aggregator": 2, "miner": 3, "evaluator": 1}
	if !maps.Equal(roles, want) {
		t.Errorf("the network has %v, want %v", roles, want)
	}
}
