package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	jsonparser "github.com/knadh/koanf/parsers/json"
	yamlparser "github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"

	"templar/internal/store"
	"templar/internal/userfile"
)

// parserOf returns the parser of a file by its extension.
func parserOf(path string) (koanf.Parser, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return jsonparser.Parser(), nil
	case ".yaml", ".yml":
		return yamlparser.Parser(), nil
	}
	return nil, fmt.Errorf("%s: want a name that ends in .json, .yaml or .yml", path)
}

// readFile returns the file's values under dotted keys.
func readFile(path string) (map[string]any, error) {
	parser, err := parserOf(path)
	if err != nil {
		return nil, err
	}
	b, err := readBytes(path)
	if err != nil {
		return nil, err
	}
	k := koanf.New(".")
	if err := k.Load(rawBytes(b), parser); err != nil {
		return nil, fmt.Errorf("%s: not valid %s%s", path, strings.TrimPrefix(filepath.Ext(path), "."), where(b, err))
	}
	return k.All(), nil
}

func readBytes(path string) ([]byte, error) {
	expanded, err := userfile.Expand(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	b, err := file.Provider(expanded).ReadBytes()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w: name a file that you can read with --config", err)
	}
	if b, err = userfile.JSON(b); err != nil { // of YAML it is as true
		return nil, fmt.Errorf("configuration: %s %w", path, err)
	}
	return b, nil
}

// rawBytes is a koanf provider of bytes that were read already.
type rawBytes []byte

func (b rawBytes) ReadBytes() ([]byte, error)    { return b, nil }
func (b rawBytes) Read() (map[string]any, error) { return nil, errors.ErrUnsupported }

// where tells the line of a syntax error. The parsers' own messages quote the file, and
// so, perhaps, a secret.
func where(b []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset <= int64(len(b)) {
		return fmt.Sprintf(": line %d", 1+bytes.Count(b[:syntax.Offset], []byte("\n")))
	}
	if line := regexp.MustCompile(`line \d+`).FindString(err.Error()); line != "" {
		return ": " + line
	}
	return ""
}

// exposed warns of secrets in a file that others may read.
func (s schema) exposed(path string, given map[string]any) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	for key := range given {
		if s[key] == reflect.TypeFor[store.Secret]() || key == mirrorsKey {
			return fmt.Sprintf("%s holds secrets, and others may read it (mode %04o): run chmod 600 %s", path, info.Mode().Perm(), path)
		}
	}
	return ""
}

// Save writes n in the form that Load reads, secrets included, JSON or YAML by the
// path's extension. The file has mode 0600 and appears whole or not at all.
func Save(path string, n Node) error {
	parser, err := parserOf(path)
	if err != nil {
		return err
	}
	k := koanf.New(".")
	if err := k.Load(structs.Provider(n, "koanf"), nil); err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	b, err := k.Marshal(parser)
	if err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, b, "", "  "); err != nil {
			return fmt.Errorf("save configuration: %w", err)
		}
		b = append(pretty.Bytes(), '\n')
	}
	return writePrivate(path, b)
}

// createPrivate writes a new file with mode 0600.
func createPrivate(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save configuration: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// writePrivate replaces a file by one with mode 0600.
func writePrivate(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-"+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save configuration: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
