package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
)

// solve does one case.
func (s *session) solve(ctx context.Context, c Case) (gateway.Reference, error) {
	var trees []llb.State
	for _, n := range c.Trees {
		trees = append(trees, s.trees[n])
	}
	switch {
	case c.Op == "dockerfile" && len(trees) == 2:
		return s.dockerfile(ctx, c.Dockerfile, trees[0], trees[1])
	case c.Op == "merge" && len(trees) > 1:
		return s.merged(ctx, llb.Merge(trees))
	case c.Op == "diff" && len(trees) == 2:
		return s.merged(ctx, llb.Merge([]llb.State{trees[0], llb.Diff(trees[0], trees[1])}))
	case c.Op == "none" && len(trees) == 1:
		return s.state(ctx, trees[0])
	}
	return nil, fmt.Errorf("no such operation: %s of %d trees", c.Op, len(trees))
}

// state solves a state of LLB.
func (s *session) state(ctx context.Context, st llb.State) (gateway.Reference, error) {
	def, err := st.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	return s.ref(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
}

// dockerfile has the daemon's own frontend build a Dockerfile, without its cache:
// that takes trees for equal that differ in times or hardlinks.
func (s *session) dockerfile(ctx context.Context, text []byte, dst, src llb.State) (gateway.Reference, error) {
	r := gateway.SolveRequest{
		Frontend:       "dockerfile.v0",
		FrontendOpt:    map[string]string{"no-cache": "", "context:dst": "input:dst", "context:src": "input:src"},
		FrontendInputs: map[string]*pb.Definition{},
		Evaluate:       true,
	}
	for name, st := range map[string]llb.State{
		"dst": dst, "src": src, "context": src,
		"dockerfile": llb.Scratch().File(llb.Mkfile("/Dockerfile", 0o644, text)),
	} {
		def, err := st.Marshal(ctx)
		if err != nil {
			return nil, err
		}
		r.FrontendInputs[name] = def.ToPB()
	}
	return s.ref(ctx, r)
}

func (s *session) ref(ctx context.Context, r gateway.SolveRequest) (gateway.Reference, error) {
	res, err := s.gw.Solve(ctx, r)
	if err != nil {
		return nil, err
	}
	ref, err := res.SingleRef()
	if err == nil && ref == nil {
		err = errors.New("the result is empty")
	}
	return ref, err
}

// merged solves a state whose trees are only merged when something is asked about
// the result.
func (s *session) merged(ctx context.Context, st llb.State) (gateway.Reference, error) {
	ref, err := s.state(ctx, st)
	if err == nil {
		_, err = ref.StatFile(ctx, gateway.StatRequest{Path: "/"})
	}
	if err != nil {
		return nil, err
	}
	return ref, nil
}
