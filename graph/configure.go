package graph

import (
	"errors"
	"fmt"
	"strings"
)

// Configure changes the configuration of its input: how processes in it start,
// and what an image of it says. The tree stays. Nil fields change nothing.
type Configure struct {
	Env          []EnvChange       `json:",omitempty"`
	Workdir      *string           `json:",omitempty"` // relative to the one before
	User         *string           `json:",omitempty"`
	Entrypoint   *[]string         `json:",omitempty"`
	DefaultArgs  *[]string         `json:",omitempty"`
	Labels       map[string]string `json:",omitempty"`
	WithoutLabel []string          `json:",omitempty"`
	ExposedPorts []string          `json:",omitempty"` // "80/tcp"
	Volumes      []string          `json:",omitempty"`
	StopSignal   *string           `json:",omitempty"`
}

// EnvChange sets or removes one variable.
type EnvChange struct {
	Name   string
	Value  string `json:",omitempty"`
	Expand bool   `json:",omitempty"` // $NAME and ${NAME} in Value are replaced by what they are so far
	Unset  bool   `json:",omitempty"`
}

// Name gives "configure".
func (Configure) Name() string { return "configure" }

// Check looks at the names of variables.
func (c Configure) Check() error {
	for _, e := range c.Env {
		if e.Name == "" || strings.ContainsAny(e.Name, "=\x00") {
			return fmt.Errorf("%q cannot be the name of a variable", e.Name)
		}
		if err := errors.Join(checkText(e.Name), checkText(e.Value)); err != nil {
			return fmt.Errorf("the variable %s: %w", e.Name, err)
		}
	}
	for _, s := range []*string{c.Workdir, c.User} {
		if s != nil {
			if err := checkText(*s); err != nil {
				return err
			}
		}
	}
	if c.Workdir != nil && *c.Workdir == "" {
		return errors.New("the working directory is missing")
	}
	return nil
}

func (Configure) op() {}
