package image

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// RunConfig is how a process in an image starts. The last four are Docker's.
type RunConfig struct {
	User         string
	Env          []string // NAME=VALUE
	Entrypoint   []string
	Cmd          []string
	WorkingDir   string
	Labels       map[string]string
	ExposedPorts map[string]struct{} // "80/tcp"
	Volumes      map[string]struct{}
	StopSignal   string

	Shell       []string
	OnBuild     []string
	Healthcheck json.RawMessage
	StopTimeout json.RawMessage // a number of seconds
}

// members are the names of RunConfig's fields in the config, and the fields.
func (r *RunConfig) members() map[string]any {
	return map[string]any{
		"User": &r.User, "Env": &r.Env, "Entrypoint": &r.Entrypoint, "Cmd": &r.Cmd,
		"WorkingDir": &r.WorkingDir, "Labels": &r.Labels, "ExposedPorts": &r.ExposedPorts,
		"Volumes": &r.Volumes, "StopSignal": &r.StopSignal, "Shell": &r.Shell,
		"OnBuild": &r.OnBuild, "Healthcheck": &r.Healthcheck, "StopTimeout": &r.StopTimeout,
	}
}

func parseRun(raw json.RawMessage) (RunConfig, error) {
	var r RunConfig
	if len(raw) == 0 {
		return r, nil
	}
	members := r.members()
	o, err := parseObject(raw, slices.Collect(maps.Keys(members))...)
	if err != nil {
		return r, err
	}
	for key, v := range members {
		if err := o.get(key, v); err != nil {
			return RunConfig{}, err
		}
	}
	return r, nil
}

// onto gives raw, an image's "config" member, with r's members in it; what r
// leaves empty goes, what r does not know stays.
func (r RunConfig) onto(raw json.RawMessage) (json.RawMessage, error) {
	o := object{}
	if len(raw) > 0 {
		var err error
		if o, err = parseObject(raw); err != nil {
			return nil, err
		}
	}
	for key, v := range (&r).members() {
		empty, err := marshal(v)
		if err != nil {
			return nil, err
		}
		switch string(empty) {
		case "null", `""`, "[]", "{}":
			delete(o, key)
			continue
		}
		o[key] = bytes.Clone(empty)
	}
	return o.bytes()
}

func (r RunConfig) clone() RunConfig {
	r.Env, r.Entrypoint, r.Cmd = slices.Clone(r.Env), slices.Clone(r.Entrypoint), slices.Clone(r.Cmd)
	r.Shell, r.OnBuild = slices.Clone(r.Shell), slices.Clone(r.OnBuild)
	r.Labels, r.ExposedPorts, r.Volumes = maps.Clone(r.Labels), maps.Clone(r.ExposedPorts), maps.Clone(r.Volumes)
	return r
}
