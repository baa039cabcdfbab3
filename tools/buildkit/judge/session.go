package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil"
)

// session is the work on one batch, in one build of BuildKit's.
type session struct {
	gw     gateway.Client
	inside llb.State   // the root with the program that writes and lists
	trees  []llb.State // of the batch
}

// parallel is how many cases of a batch are solved at once: BuildKit waits more
// than it computes.
const parallel = 8

// judge does the cases of a batch.
func judge(ctx context.Context, c *client.Client, dir string, b Batch) (results []Result, err error) {
	local, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	log := make(chan *client.SolveStatus)
	said := make(chan string, 1)
	go func() {
		var lines bytes.Buffer
		for s := range log {
			for _, l := range s.Logs {
				lines.Write(l.Data)
			}
		}
		said <- lines.String()
	}()
	_, err = c.Build(ctx, client.SolveOpt{
		LocalMounts:         map[string]fsutil.FS{"inside": local},
		AllowedEntitlements: []string{"security.insecure"},
	}, "", func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		s := &session{gw: gw, inside: llb.Local("inside", llb.SharedKeyHint("inside"), llb.LocalUniqueID("inside"))}
		var err error
		results, err = s.judge(ctx, b)
		return gateway.NewResult(), err
	}, log)
	if text := <-said; err != nil && text != "" {
		err = fmt.Errorf("%w\n%s", err, text)
	}
	return results, err
}

func (s *session) judge(ctx context.Context, b Batch) ([]Result, error) {
	if err := s.write(ctx, b.Trees); err != nil {
		return nil, fmt.Errorf("write the trees: %w", err)
	}
	results := make([]Result, len(b.Cases))
	refs := make([]gateway.Reference, len(b.Cases))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for n, c := range b.Cases {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			var err error
			if refs[n], err = s.solve(ctx, c); err != nil {
				results[n].Error = err.Error()
			}
		})
	}
	wg.Wait()
	if err := s.read(ctx, refs, results); err != nil {
		return nil, fmt.Errorf("list the results: %w", err)
	}
	return results, nil
}

// write has the trees written by one container, of which each is an output.
func (s *session) write(ctx context.Context, listings []string) error {
	data, err := json.Marshal(listings)
	if err != nil {
		return err
	}
	run := s.inside.Run(llb.Args([]string{"/inside", "write", "/in/trees"}),
		llb.Security(pb.SecurityMode_INSECURE),
		llb.AddMount("/in", llb.Scratch().File(llb.Mkfile("/trees", 0o644, data)), llb.Readonly))
	for n := range listings {
		s.trees = append(s.trees, run.AddMount(fmt.Sprintf("/t/%d", n), llb.Scratch()))
	}
	_, err = s.state(ctx, s.trees[0])
	return err
}

// read has what refs are listed by one container.
func (s *session) read(ctx context.Context, refs []gateway.Reference, results []Result) error {
	root, err := s.state(ctx, s.inside)
	if err != nil {
		return err
	}
	args, at := []string{"/inside", "read"}, []int{}
	mounts := []gateway.Mount{{Dest: "/", MountType: pb.MountType_BIND, Ref: root}}
	for n, r := range refs {
		if r == nil {
			continue
		}
		dir := fmt.Sprintf("/t/%d", n)
		mounts = append(mounts, gateway.Mount{Dest: dir, MountType: pb.MountType_BIND, Ref: r, Readonly: true})
		args, at = append(args, dir), append(at, n)
	}
	if len(at) == 0 {
		return nil
	}
	c, err := s.gw.NewContainer(ctx, gateway.NewContainerRequest{Mounts: mounts, NetMode: pb.NetMode_NONE})
	if err != nil {
		return err
	}
	defer c.Release(ctx)
	var stdout, stderr buffer
	p, err := c.Start(ctx, gateway.StartRequest{
		Args: args, Cwd: "/", Stdout: &stdout, Stderr: &stderr, SecurityMode: pb.SecurityMode_INSECURE,
	})
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	var texts []string
	if err := json.Unmarshal(stdout.Bytes(), &texts); err != nil || len(texts) != len(at) {
		return fmt.Errorf("%d listings of %d: %w", len(texts), len(at), err)
	}
	for n, text := range texts {
		results[at[n]].Tree = text
	}
	return nil
}

// buffer is a bytes.Buffer that can be closed.
type buffer struct{ bytes.Buffer }

// Close does nothing.
func (*buffer) Close() error { return nil }
