package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"templar/internal/config"
	"templar/internal/telemetry"
	"templar/protocol"
)

const source = "Written by `go run ./docs/gen` from the code; edit it there.\n"

// cell makes a text one cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(strings.Join(strings.Fields(s), " ")), "|", `\|`)
}

// configuration is the page of the keys of a node's file.
func configuration() ([]byte, error) {
	all, err := config.Settings()
	if err != nil {
		return nil, err
	}
	docs, err := settingDocs()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`# Configuration of a node

` + source + `
A node's settings come from its file (` + "`--config`" + `, JSON or YAML), then from the environment, then from flags; the last one counts. Unknown keys
are errors. ` + "`templar init ROLE`" + ` writes a file with these keys as comments; ` + "`templar doctor --config FILE`" + ` says what is missing. A key stands in
the section before its last dot. Secrets have no flag: a command line can be read by others.
`)
	section := ""
	for _, s := range all {
		dot := strings.LastIndex(s.Key, ".")
		name := "Top level"
		if dot > 0 {
			name = "`" + s.Key[:dot] + "`"
		}
		if name != section {
			section = name
			fmt.Fprintf(&b, "\n## %s\n\n| key | type | default | flag, environment | roles | meaning |\n|---|---|---|---|---|---|\n", name)
		}
		var from []string
		if s.Flag != "" {
			from = append(from, "`--"+s.Flag+"`")
		}
		for _, v := range s.Variables {
			from = append(from, "`"+v+"`")
		}
		usual := ""
		if s.Default != "" {
			usual = "`" + s.Default + "`"
		}
		meaning := cmp.Or(docs[s.Key], s.Usage)
		if strings.HasPrefix(s.Key, "buckets.") {
			meaning = cmp.Or(s.Usage, docs[s.Key]) // the comment is the same for all buckets
		}
		if meaning == "" {
			return nil, fmt.Errorf("configuration: %s has no meaning: comment its field", s.Key)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.Key, s.Type, usual, strings.Join(from, " "), roles(s.Roles), cell(meaning))
	}
	return b.Bytes(), nil
}

func roles(of []telemetry.Role) string {
	if len(of) == 0 || len(of) == 4 {
		return "all"
	}
	var names []string
	for _, r := range of {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// settingDocs are the comments of the structs of a configuration, by key.
func settingDocs() (map[string]string, error) {
	out := map[string]string{}
	var walk func(name, prefix string) error
	walk = func(name, prefix string) error {
		of, err := fields("internal/config/config.go", name, "koanf")
		if err != nil {
			return err
		}
		for _, f := range of {
			key := strings.TrimPrefix(prefix+"."+f.name, ".")
			out[key] = f.doc
			if _, err := fields("internal/config/config.go", f.typ, "koanf"); err == nil {
				if err := walk(f.typ, key); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return out, walk("Node", "")
}

// parameters is the page of the run parameters.
func parameters() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`# Run parameters

` + source + `
All nodes of a run have the same parameters, in a JSON file that the owner of the run publishes; ` + "`templar run init`" + ` writes it from a preset and
checks each value, ` + "`--set KEY=VALUE`" + ` changes one. Their hash is announced with the first window. A key that a file lacks has the default; unknown keys are errors.
Which values to choose: [../how-to/run-owner.md](../how-to/run-owner.md), and for pay [../ops/pay.md](../ops/pay.md).
`)
	usual, err := flat(protocol.Default())
	if err != nil {
		return nil, err
	}
	of, err := fields("protocol/params.go", "Params", "json")
	if err != nil {
		return nil, err
	}
	head := "| key | default | meaning, unit, range |\n|---|---|---|\n"
	b.WriteString("\n## The run\n\n" + head)
	for _, f := range of {
		if f.group != "" {
			title, rest, _ := strings.Cut(f.group, ". ")
			fmt.Fprintf(&b, "\n## %s\n\n", strings.TrimSuffix(title, "."))
			if rest != "" {
				b.WriteString(rest + "\n\n")
			}
			b.WriteString(head)
		}
		value := usual[f.name]
		if f.name == "model" || f.name == "method" {
			value = "below"
		}
		if f.doc == "" {
			return nil, fmt.Errorf("run parameters: %s has no comment", f.name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, value, cell(f.doc))
	}
	for _, part := range []struct{ title, file, name, at string }{
		{"`model`", "protocol/model.go", "Model", "model"},
		{"`method.params` of dctsign", "method/dctsign/params.go", "Params", "tiny"},
		{"`method.params` of sparseloco", "method/sparseloco/params.go", "Params", "tiny-loco"},
	} {
		of, err := fields(part.file, part.name, "json")
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		column := "default"
		if part.at == "model" {
			values, err = flat(protocol.Default().Model)
		} else {
			var p protocol.Params
			if p, err = protocol.Preset(part.at); err == nil {
				values, err = flat(p.Method.Params)
			}
			column = "in `" + part.at + "`"
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n## %s\n\n| key | %s | meaning, unit, range |\n|---|---|---|\n", part.title, column)
		for _, f := range of {
			if f.doc == "" {
				return nil, fmt.Errorf("%s: %s has no comment", part.title, f.name)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, values[f.name], cell(f.doc))
		}
	}
	b.WriteString("\nPresets: `" + strings.Join(protocol.Presets(), "`, `") + "`.\n")
	return b.Bytes(), nil
}

// flat are the values of an object by key, as JSON writes them.
func flat(v any) (map[string]string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for k, v := range keys {
		if s := string(v); s != `""` && s != "null" && !regexp.MustCompile(`^"0+"$`).MatchString(s) {
			out[k] = "`" + s + "`"
		}
	}
	return out, nil
}

// verdicts is the page of what a node says of another node's object.
func verdicts() ([]byte, error) {
	names, docs, err := constants("protocol/verdict.go", "Verdict")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`# Verdicts

` + source + `
A verdict is what one node says of one object of another: in logs (` + "`skipped`" + `), metrics, reports, test vectors and ` + "`templar explain`" + `. "Owner's fault": the
object arrived in time and is unusable, which costs its owner score and activity. "Final": asking again cannot change it.

| verdict | meaning | owner's fault | final |
|---|---|---|---|
`)
	yes := map[bool]string{true: "yes", false: ""}
	for i, name := range names[:len(names)-1] { // the last one ends the list
		v := protocol.Verdict(i)
		doc := docs[name]
		if doc == "" {
			return nil, fmt.Errorf("verdicts: %s has no comment", name)
		}
		doc = strings.TrimPrefix(doc, name+" is ")
		fmt.Fprintf(&b, "| `%v` | %s | %s | %s |\n", v, cell(doc), yes[v.Invalid()], yes[v.Final()])
	}
	return b.Bytes(), nil
}

// exitCodes is the page of the exit codes, from the comment of the package of commands.
func exitCodes() ([]byte, error) {
	doc, err := packageDoc("internal/cli/app.go")
	if err != nil {
		return nil, err
	}
	_, text, ok := strings.Cut(strings.Join(strings.Fields(doc), " "), "Exit codes: ")
	if !ok {
		return nil, errors.New("exit codes: the comment of internal/cli has no \"Exit codes: \"")
	}
	var b bytes.Buffer
	b.WriteString("# Exit codes\n\n" + source + "\n| code | meaning |\n|---|---|\n")
	for _, one := range strings.Split(strings.TrimSuffix(text, "."), "; ") {
		code, meaning, _ := strings.Cut(one, " ")
		fmt.Fprintf(&b, "| %s | %s |\n", code, cell(meaning))
	}
	b.WriteString("\nErrors are lines on standard error that begin with `templar: ` and say what to do. A command that checks something (`verify`, `doctor`, `store check`, `status`, `run plan`) ends with 1 when the check fails.\n")
	return b.Bytes(), nil
}
