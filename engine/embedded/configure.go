package embedded

import (
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
)

func (s *step) configure(op graph.Configure, in engine.Result) (engine.Result, error) {
	c, err := configured(in.Config, op)
	in.Config = c
	return in, err
}

// configured gives a config changed by an op.
func configured(c image.Config, op graph.Configure) (image.Config, error) {
	r := c.Run()
	for _, e := range op.Env {
		r.Env = changeEnv(r.Env, e)
	}
	if op.Workdir != nil {
		r.WorkingDir = *op.Workdir
		if !path.IsAbs(r.WorkingDir) {
			r.WorkingDir = path.Join("/", c.Run().WorkingDir, r.WorkingDir)
		}
		r.WorkingDir = path.Clean(r.WorkingDir)
	}
	if op.User != nil {
		r.User = *op.User
	}
	if op.Entrypoint != nil {
		r.Entrypoint = slices.Clone(*op.Entrypoint)
	}
	if op.DefaultArgs != nil {
		r.Cmd = slices.Clone(*op.DefaultArgs)
	}
	r.Labels = maps.Clone(r.Labels)
	for k, v := range op.Labels {
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		r.Labels[k] = v
	}
	for _, k := range op.WithoutLabel {
		delete(r.Labels, k)
	}
	r.ExposedPorts = with(r.ExposedPorts, op.ExposedPorts, func(p string) string {
		if !strings.Contains(p, "/") {
			p += "/tcp"
		}
		return p
	})
	r.Volumes = with(r.Volumes, op.Volumes, func(v string) string { return v })
	if op.StopSignal != nil {
		r.StopSignal = *op.StopSignal
	}
	return c.WithRun(r)
}

func with(set map[string]struct{}, more []string, form func(string) string) map[string]struct{} {
	if len(more) == 0 {
		return set
	}
	set = maps.Clone(set)
	if set == nil {
		set = map[string]struct{}{}
	}
	for _, m := range more {
		set[form(m)] = struct{}{}
	}
	return set
}

func changeEnv(env []string, e graph.EnvChange) []string {
	value := e.Value
	if e.Expand {
		value = os.Expand(value, func(name string) string { return lookupEnv(env, name) })
	}
	at := slices.IndexFunc(env, func(s string) bool { return strings.HasPrefix(s, e.Name+"=") })
	env = slices.Clone(env)
	switch {
	case e.Unset && at >= 0:
		return slices.Delete(env, at, at+1)
	case e.Unset:
		return env
	case at >= 0:
		env[at] = e.Name + "=" + value
		return env
	}
	return append(env, e.Name+"="+value)
}

func lookupEnv(env []string, name string) string {
	for _, s := range env {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			return v
		}
	}
	return ""
}
