package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// placeFile is the file in a node's data directory that holds its server's address while it runs.
const placeFile = "admin.json"

type place struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// Announce writes the server's address into a data directory, where Find finds it, until remove.
func (s *Server) Announce(dir string) (remove func(), err error) {
	b, err := json.Marshal(place{URL: s.URL(), PID: os.Getpid()})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, placeFile)
	if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil // a stale one is noticed by its reader
}

// ErrNotRunning means that a data directory names no admin server.
var ErrNotRunning = errors.New("no admin server is running there")

// FindNear is Find for a data directory, or for a folder in which one data directory lies.
func FindNear(dir string) (string, error) {
	found, err := Find(dir)
	if !errors.Is(err, ErrNotRunning) {
		return found, err
	}
	entries, _ := os.ReadDir(dir) // without the folder, it has none
	var inside []string
	for _, e := range entries {
		place := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(place, placeFile)); err == nil {
			inside = append(inside, place)
		}
	}
	switch len(inside) {
	case 0:
		return "", err
	case 1:
		return Find(inside[0])
	}
	return "", fmt.Errorf("%s has several data directories: name one of %s", dir, strings.Join(inside, ", "))
}

// Find returns the address of the server of a data directory: http://host:port.
func Find(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, placeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return "", err
	}
	var p place
	if err := json.Unmarshal(b, &p); err != nil || p.URL == "" {
		return "", fmt.Errorf("%s: not an address of an admin server", filepath.Join(dir, placeFile))
	}
	return p.URL, nil
}
