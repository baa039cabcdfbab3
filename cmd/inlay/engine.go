package main

import (
	"os"

	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
)

// engineName gives the engine that the user wants.
func (a *app) engineName() string {
	if a.engine != "" {
		return a.engine
	}
	if name := os.Getenv("INLAY_ENGINE"); name != "" {
		return name
	}
	return "embedded"
}

// elsewhere has an engine run processes where the user wants it.
func (a *app) elsewhere(o *embedded.Options) error {
	name := a.engineName()
	if name == "embedded" {
		return a.caches(o)
	}
	addresses, err := buildkit.ParseEngine(name)
	if err != nil {
		return usageErrorf("--engine: %v", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	at := buildkit.Options{Addresses: addresses, Route: dir}
	if err := a.daemonCaches(&at); err != nil {
		return err
	}
	o.Name = name
	o.Remote = buildkit.At(at)
	return nil
}
