package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// measureExec compares a changed file and a process in the result, captured,
// with runc alone on a bundle that is ready.
func measureExec(ctx context.Context, s *setup) error {
	store, err := s.debianStore(ctx)
	if err != nil {
		return err
	}
	var beside time.Duration
	if s.runc != "" {
		bundle, err := s.bundle()
		if err != nil {
			return err
		}
		all, err := s.repeat(nil, func(n int) (sample, error) {
			return timed(ctx, s.runc, "--root", filepath.Join(s.work, "runc"), "run", "--bundle", bundle, fmt.Sprintf("bench-%d", n))
		})
		if err != nil {
			return err
		}
		beside = s.table.add("runc run /bin/true, on a ready bundle", all, 0)
	}
	unique := time.Now().UnixNano()
	pipeline := func(n int) string {
		return fmt.Sprintf("from debian | with-new-file /bin/tool '%d-%d' | with-exec -- /bin/true | digest", unique, n)
	}
	if _, err := s.inStore(ctx, store, "do", pipeline(-1)); err != nil {
		return err
	}
	all, err := s.repeat(nil, func(n int) (sample, error) { return s.inStore(ctx, store, "do", pipeline(n)) })
	if err != nil {
		return err
	}
	s.table.add("inlay do: one file, /bin/true, captured", all, beside)
	return nil
}

// bundle makes a runc bundle of the Debian root, read-only, that runs /bin/true.
func (s *setup) bundle() (string, error) {
	bundle := filepath.Join(s.work, "bundle")
	if err := fresh(bundle); err != nil {
		return "", err
	}
	debian, err := filepath.Abs(s.debian)
	if err != nil {
		return "", err
	}
	caps := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"}
	spec := map[string]any{
		"ociVersion": "1.2.0",
		"root":       map[string]any{"path": debian, "readonly": true},
		"process": map[string]any{
			"args": []string{"/bin/true"}, "cwd": "/", "env": []string{"PATH=/usr/bin:/bin"},
			"capabilities": map[string]any{"bounding": caps, "effective": caps, "permitted": caps},
		},
		"mounts": []map[string]any{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755", "size=65536k"}},
			{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": []string{"nosuid", "noexec", "nodev", "ro"}},
		},
		"linux": map[string]any{
			"namespaces":  []map[string]any{{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}},
			"maskedPaths": []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"},
		},
	}
	b, err := json.Marshal(spec)
	return bundle, errors.Join(err, os.WriteFile(filepath.Join(bundle, "config.json"), b, 0o644))
}
