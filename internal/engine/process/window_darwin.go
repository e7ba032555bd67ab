package process

import (
	"errors"
	"os"
)

// anonymous is a file without a name.
func anonymous() (*os.File, error) {
	f, err := os.CreateTemp("", "templar-engine-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
