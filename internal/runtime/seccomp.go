//go:build linux

package runtime

import (
	"fmt"
	"slices"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// seccompProfile is moby's default profile for the capabilities of spec.
//
// On a kernel without x32 (nearly all: it is off in the distributions) that ABI
// is left out of it. Nothing can be called by it there, and libseccomp takes 10
// ms, half of its time, to write a filter for it.
func seccompProfile(spec *specs.Spec) (*specs.LinuxSeccomp, error) {
	profile, err := seccomp.GetDefaultProfile(spec)
	if err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	if profile == nil {
		return nil, fmt.Errorf("seccomp profile: moby has none for this machine")
	}
	if !hasX32() {
		profile.Architectures = slices.DeleteFunc(profile.Architectures, func(arch specs.Arch) bool { return arch == specs.ArchX32 })
	}
	return profile, nil
}
