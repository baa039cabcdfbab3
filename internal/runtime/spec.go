//go:build linux

package runtime

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// newSpec writes p as an OCI runtime configuration. The files of etc are shown
// in /etc of the root.
func newSpec(p *Process, etc map[string]string, cgroup string) (*specs.Spec, error) {
	caps, err := capabilities(p.AddCaps)
	if err != nil {
		return nil, err
	}
	if cgroup == "" {
		// Without a cgroup nothing keeps root from a disk that it has made a
		// device node for.
		caps = slices.DeleteFunc(caps, func(name string) bool { return name == "CAP_MKNOD" })
	}
	mounts, err := mounts(p, etc, cgroup != "")
	if err != nil {
		return nil, err
	}
	spec := &specs.Spec{
		Version:  specs.Version,
		Root:     &specs.Root{Path: p.Root, Readonly: p.ReadOnly},
		Hostname: hostname(p),
		Process: &specs.Process{
			Args:         p.Args,
			Env:          p.Env,
			Cwd:          p.Dir,
			Terminal:     p.Terminal != nil,
			User:         specs.User{UID: p.User.UID, GID: p.User.GID, AdditionalGids: p.User.Groups},
			Capabilities: caps.of(p.User.UID),
			Rlimits:      rlimits(p.Limits),
		},
		Mounts: mounts,
		Linux: &specs.Linux{
			Namespaces:    namespaces(p, cgroup != ""),
			MaskedPaths:   maskedPaths(p),
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
			CgroupsPath:   cgroup,
			Resources:     resources(p.Limits),
		},
	}
	if spec.Process.Cwd == "" {
		spec.Process.Cwd = "/"
	}
	if t := p.Terminal; t != nil {
		size := t.size()
		spec.Process.ConsoleSize = &specs.Box{Width: uint(size.Width), Height: uint(size.Height)}
	}
	if spec.Linux.Seccomp, err = seccompProfile(spec); err != nil {
		return nil, err
	}
	return spec, nil
}

func hostname(p *Process) string {
	if p.Hostname == "" {
		return "inlay"
	}
	return p.Hostname
}

func namespaces(p *Process, cgroups bool) []specs.LinuxNamespace {
	spaces := []specs.LinuxNamespace{
		{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
	}
	if !p.Ordinary { // else it is in that of inlay-runc, which is the first process of its own
		spaces = append(spaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
	}
	if p.Network != NetworkHost {
		spaces = append(spaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	if _, err := os.Stat("/proc/self/ns/cgroup"); err == nil && cgroups {
		spaces = append(spaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return spaces
}

// capabilitySet is docker's and the OCI's default set, and what was added.
type capabilitySet []string

func capabilities(add []string) (capabilitySet, error) {
	set := capabilitySet{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
	for _, name := range add {
		if !knownCapability(name) {
			return nil, fmt.Errorf("capability %q is unknown: want a name as CAP_SYS_PTRACE, see capabilities(7)", name)
		}
		if !slices.Contains(set, name) {
			set = append(set, name)
		}
	}
	return set, nil
}

// of gives the sets that a process of uid starts with: root has them all, others
// may only gain them by a set-uid program, as docker has it.
func (set capabilitySet) of(uid uint32) *specs.LinuxCapabilities {
	caps := &specs.LinuxCapabilities{Bounding: set}
	if uid == 0 {
		caps.Effective, caps.Permitted = set, set
	}
	return caps
}

// maskedPaths are moby's: what the kernel shows of the host there is nobody's
// business.
func maskedPaths(p *Process) []string {
	var paths []string
	if p.Ordinary { // then this is inlay-runc
		paths = append(paths, "/proc/1")
	}
	paths = append(paths,
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
	)
	for cpu := range runtime.NumCPU() {
		path := "/sys/devices/system/cpu/cpu" + strconv.Itoa(cpu) + "/thermal_throttle"
		if _, err := os.Stat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// rlimits gives the limit of open files that docker gives, or what the engine
// itself may have where that is less.
func rlimits(l Limits) []specs.POSIXRlimit {
	files := l.Files
	if files == 0 {
		files = 1 << 20
	}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err == nil && own.Max < files {
		files = own.Max
	}
	return []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: files, Soft: files}}
}

func resources(l Limits) *specs.LinuxResources {
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
	if l.Memory > 0 {
		r.Memory = &specs.LinuxMemory{Limit: &l.Memory, Swap: &l.Memory}
	}
	if l.CPU > 0 {
		period := uint64(100_000)
		quota := max(int64(l.CPU*float64(period)), 1000)
		r.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	}
	if l.Pids > 0 {
		r.Pids = &specs.LinuxPids{Limit: &l.Pids}
	}
	return r
}

func (l Limits) any() bool { return l.Memory > 0 || l.CPU > 0 || l.Pids > 0 }
