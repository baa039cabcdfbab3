//go:build linux

package runtime

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// WriteBundle writes what Run would run as a bundle for runc.
func WriteBundle(dir string, p Process) error {
	if err := p.check(); err != nil {
		return err
	}
	etc, err := writeEtc(&p, dir)
	if err != nil {
		return err
	}
	spec, err := newSpec(&p, etc, "/"+prefix+filepath.Base(dir))
	if err != nil {
		return err
	}
	config, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600)
}
