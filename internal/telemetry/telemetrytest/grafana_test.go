package telemetrytest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"templar/internal/telemetry/influx"
	"templar/internal/telemetry/prom"
)

// TestDashboards compares each query of deploy/grafana with what the code writes.
func TestDashboards(t *testing.T) {
	files, err := filepath.Glob("../../../deploy/grafana/dashboards/*.json")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	uids, tasks := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			UID        string
			Templating struct {
				List []struct{ Name, Definition string }
			}
			Panels []struct {
				Title      string
				Datasource struct{ Type string }
				Targets    []struct{ Expr, Query, LegendFormat string }
			}
		}
		if err := json.Unmarshal(b, &d); err != nil || uids[d.UID] || len(d.Panels) == 0 {
			t.Fatal(file, d.UID, err)
		}
		uids[d.UID] = true
		variables := []string{"__auto", "__all"}
		for _, v := range d.Templating.List {
			variables = append(variables, v.Name)
			checkPrometheus(t, file, v.Definition, "")
		}
		for _, p := range d.Panels {
			for _, m := range regexp.MustCompile(`templar_task_[a-z_]+|Ebenchmark_task`).FindAllString(fmt.Sprint(p.Targets), -1) {
				tasks[m] = true
			}
			for _, q := range p.Targets {
				for _, v := range regexp.MustCompile(`\$([a-zA-Z_]+)`).FindAllStringSubmatch(q.Expr+q.Query, -1) {
					if !slices.Contains(variables, v[1]) {
						t.Errorf("%s, %s: no variable $%s", file, p.Title, v[1])
					}
				}
				switch p.Datasource.Type {
				case "prometheus":
					if !strings.Contains(q.Expr, "templar_") && !strings.Contains(q.Expr, "process_") {
						t.Errorf("%s, %s: no metric in %q", file, p.Title, q.Expr)
					}
					checkPrometheus(t, file+", "+p.Title, q.Expr, q.LegendFormat)
				case "influxdb":
					checkOriginal(t, file+", "+p.Title, q.Query)
				case "loki":
					if !strings.Contains(q.Expr, `{app="templar"`) {
						t.Errorf("%s, %s: %q chooses no label that is sent", file, p.Title, q.Expr)
					}
				default:
					t.Errorf("%s, %s: data source %q", file, p.Title, p.Datasource.Type)
				}
			}
		}
	}
	for _, m := range prom.All() {
		if strings.HasPrefix(m.Name, "templar_task_") && !tasks[m.Name] {
			t.Errorf("no panel shows %s", m.Name)
		}
	}
	if !tasks["Ebenchmark_task"] {
		t.Error("no panel shows Ebenchmark_task")
	}
}

// checkPrometheus looks for the metrics of a query in the list, and for the labels that it names.
func checkPrometheus(t *testing.T, where, query, legend string) {
	t.Helper()
	labels := []string{"node", "role", "le", "instance"}
	for _, name := range regexp.MustCompile(`templar_[a-z_]+`).FindAllString(query, -1) {
		i := slices.IndexFunc(prom.All(), func(m prom.Metric) bool {
			return m.Name == name || m.Type == prom.Histogram && m.Name+"_bucket" == name
		})
		if i < 0 {
			t.Errorf("%s: no metric %s", where, name)
			continue
		}
		labels = append(labels, prom.All()[i].Labels...)
	}
	var used []string
	for _, m := range regexp.MustCompile(`([a-z_]+)(?:=~?|!=)"|\{\{([a-z_]+)\}\}`).FindAllStringSubmatch(query+legend, -1) {
		used = append(used, m[1]+m[2])
	}
	for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(query, -1) {
		used = append(used, strings.Split(m[1], ", ")...)
	}
	for _, l := range used {
		if !slices.Contains(labels, l) {
			t.Errorf("%s: no label %s", where, l)
		}
	}
}

func checkOriginal(t *testing.T, where, query string) {
	t.Helper()
	all := measurements(influx.OriginalPoints)
	names := regexp.MustCompile(`_measurement == "([^"]*)" and r._field == "([^"]*)"`).FindStringSubmatch(query)
	if names == nil {
		t.Errorf("%s: no measurement in %q", where, query)
		return
	}
	m := all[names[1]]
	if m == nil || !slices.Contains(m.fields, names[2]) {
		t.Errorf("%s: no field %s of %s", where, names[2], names[1])
		return
	}
	for _, tag := range regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(query[strings.Index(query, "group("):], -1) {
		if !slices.Contains(m.tags, tag[1]) {
			t.Errorf("%s: no tag %s of %s", where, tag[1], names[1])
		}
	}
}
