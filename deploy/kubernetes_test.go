package deploy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"templar/cmd/templar/backends"
	"templar/internal/localnet"
)

// object is what the tests read of a Kubernetes object.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Replicas int
		Template struct{ Spec pod }
	}
	SecretGenerator []struct {
		Name  string
		Files []string
	} `yaml:"secretGenerator"`
}

type pod struct {
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
	SecurityContext              struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
		RunAsUser    int  `yaml:"runAsUser"`
	} `yaml:"securityContext"`
	InitContainers []podContainer `yaml:"initContainers"`
	Containers     []podContainer
	Volumes        []struct {
		Name   string
		Secret struct {
			SecretName string `yaml:"secretName"`
			Items      []struct{ Key, Path string }
		}
	}
}

type podContainer struct {
	Image           string
	Args            []string
	SecurityContext struct {
		ReadOnly  bool                    `yaml:"readOnlyRootFilesystem"`
		Escalates *bool                   `yaml:"allowPrivilegeEscalation"`
		Drops     struct{ Drop []string } `yaml:"capabilities"`
	} `yaml:"securityContext"`
	Readiness map[string]any `yaml:"readinessProbe"`
	Liveness  map[string]any `yaml:"livenessProbe"`
}

func readObjects(t *testing.T, files ...string) (all []object) {
	t.Helper()
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for d := yaml.NewDecoder(f); ; {
			var o object
			if err := d.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, o)
		}
	}
	return all
}

// Pods have no rights, and run what the network of compose.yaml runs.
func TestKubernetesRunsTheNetwork(t *testing.T) {
	files, err := filepath.Glob("kubernetes/base/[^k]*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	file := readCompose(t)
	var have []string
	for _, o := range readObjects(t, files...) {
		if o.Kind != "StatefulSet" {
			continue
		}
		p := o.Spec.Template.Spec
		if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken || !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser != user {
			t.Errorf("%s: the pod has a token or another user: %+v", o.Metadata.Name, p.SecurityContext)
		}
		for _, c := range append(p.InitContainers, p.Containers...) {
			s := c.SecurityContext
			if !s.ReadOnly || s.Escalates == nil || *s.Escalates || !slices.Equal(s.Drops.Drop, []string{"ALL"}) || c.Image != "templar" {
				t.Errorf("%s: a container is not hardened: %+v", o.Metadata.Name, c)
			}
		}
		if c := p.Containers[0]; c.Liveness == nil || c.Readiness == nil {
			t.Errorf("%s has no probes", o.Metadata.Name)
		}
		for i := range o.Spec.Replicas {
			name := fmt.Sprintf("%s-%d", o.Metadata.Name, i)
			if o.Metadata.Name == "store" {
				name = "store"
			}
			have = append(have, name)
			if got, want := p.Containers[0].Args, file.Services[name].Command; !slices.Equal(got, want) {
				t.Errorf("%s runs %q, in compose.yaml %q", name, got, want)
			}
		}
	}
	want := slices.DeleteFunc(file.members("network"), func(name string) bool { return name == "prepare" })
	if slices.Sort(have); !slices.Equal(have, want) {
		t.Errorf("pods %q, in compose.yaml %q", have, want)
	}
}

// The secrets of the overlay and the items of the pods put every file of a folder, and no more, where its
// process looks for it.
func TestKubernetesSecretsAreTheFolders(t *testing.T) {
	overlay, err := os.ReadFile("kubernetes/overlays/network/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := localnet.Options{Backends: backends.All(), Preset: "tiny", Miners: 3, Validators: 2, DataDir: filepath.Join(dir, "net")}
	h := localnet.Hosts{Store: "store:9000", Aggregators: 2, Admin: "0.0.0.0:9300"}
	_, flags, _ := strings.Cut(string(overlay), "--chain ")
	h.Chain = strings.Split(strings.Fields(flags)[0], ",")
	if _, err := localnet.Folders(t.Context(), o, h); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{} // files of folders
	if err := filepath.WalkDir(o.DataDir, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(o.DataDir, path); err == nil && !d.IsDir() && rel != "folders.json" && !strings.HasPrefix(rel, "store/objects") {
			want[rel] = false
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{} // file of a folder by secret and key
	for _, s := range readObjects(t, "kubernetes/overlays/network/kustomization.yaml")[0].SecretGenerator {
		for _, f := range s.Files {
			key, file, _ := strings.Cut(f, "=")
			secrets[s.Name+"/"+key] = strings.TrimPrefix(file, "net/")
		}
	}
	for _, s := range readObjects(t, "kubernetes/base/store.yaml", "kubernetes/base/chain.yaml", "kubernetes/base/roles.yaml") {
		for _, v := range s.Spec.Template.Spec.Volumes {
			for _, item := range v.Secret.Items {
				file, ok := secrets[v.Secret.SecretName+"/"+item.Key]
				if done, exists := want[file]; !ok || file != item.Path || done || !exists {
					t.Errorf("%s puts %s, which is %q, at %s", s.Metadata.Name, item.Key, file, item.Path)
				}
				want[file] = true
			}
		}
	}
	for file, found := range want {
		if !found {
			t.Errorf("no pod gets %s", file)
		}
	}
}
