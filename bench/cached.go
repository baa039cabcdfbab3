package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// measureCached takes a pipeline of ten steps of which every result is known.
func measureCached(ctx context.Context, s *setup) error {
	store, err := s.debianStore(ctx)
	if err != nil {
		return err
	}
	steps := []string{"from debian"}
	for n := range 8 {
		steps = append(steps, fmt.Sprintf("with-new-file /bin/tool%d 'tool %d'", n, n))
	}
	pipeline := strings.Join(append(steps, "with-exec -- /bin/true", "digest"), " | ")
	if _, err := s.inStore(ctx, store, "do", pipeline); err != nil {
		return err
	}
	all, err := s.repeat(nil, func(int) (sample, error) { return s.inStore(ctx, store, "do", pipeline) })
	if err != nil {
		return err
	}
	s.table.add("inlay do: 10 steps, all cached", all, 0)
	version, err := s.repeat(nil, func(int) (sample, error) { return timed(ctx, s.inlay, "version") })
	if err != nil {
		return err
	}
	s.table.add("inlay version: start to exit alone", version, 0)
	return nil
}

// debianStore gives a store with the Debian root as "debian".
func (s *setup) debianStore(ctx context.Context) (string, error) {
	store := filepath.Join(s.work, "debian-store")
	_, err := s.inStore(ctx, store, "import", "dir:"+s.debian, "debian")
	return store, err
}
