// Command check decodes Kubernetes objects strictly into the types of their API: an unknown field, or a value of
// another type, is an error.
//
//	go run . network.yaml
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// types are those that the manifests use, by kind and version.
func types(kind string) any {
	switch kind {
	case "apps/v1 StatefulSet":
		return &appsv1.StatefulSet{}
	case "v1 Service":
		return &corev1.Service{}
	case "v1 Secret":
		return &corev1.Secret{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "policy/v1 PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	}
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "check: name files with Kubernetes objects")
		os.Exit(2)
	}
	for _, name := range os.Args[1:] {
		n, err := check(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "check: %s: %v\n", name, err)
			os.Exit(1)
		}
		fmt.Printf("%d objects are of their types\n", n)
	}
}

func check(name string) (n int, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for d := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b))); ; n++ {
		doc, err := d.Read()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return 0, errors.New("no objects")
			}
			return n, nil
		}
		if err != nil {
			return n, err
		}
		var head metav1.TypeMeta
		if err := strict.Unmarshal(doc, &head); err != nil {
			return n, err
		}
		kind := head.APIVersion + " " + head.Kind
		v := types(kind)
		if v == nil {
			return n, fmt.Errorf("object %d is a %s, which this program does not know", n, kind)
		}
		if err := strict.UnmarshalStrict(doc, v); err != nil {
			return n, fmt.Errorf("object %d, %s: %w", n, kind, err)
		}
	}
}
