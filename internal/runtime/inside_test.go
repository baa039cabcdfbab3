//go:build linux

package runtime_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/runtime"
)

func field(status, name string) string {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func TestCapabilitiesAndSeccompAreDockers(t *testing.T) {
	e := newEnv(t)
	const docker = "00000000a80425fb"
	status := e.output(e.process("cat /proc/self/status"))
	for name, want := range map[string]string{
		"CapEff": docker, "CapPrm": docker, "CapBnd": docker, "CapInh": "0000000000000000", "CapAmb": "0000000000000000",
		"Seccomp": "2", "NoNewPrivs": "0", "Groups": "",
	} {
		if got := field(status, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	p := e.process("cat /proc/self/status; unshare -m true")
	p.User = runtime.User{UID: 1000, GID: 1000}
	out, _, err := e.run(p)
	if err != nil || field(out, "CapEff") != "0000000000000000" || field(out, "CapBnd") != docker {
		t.Errorf("an ordinary user: %v\n%s", err, out)
	}
	if out, exit, _ := e.run(e.process("unshare -m true")); exit.Code == 0 {
		t.Errorf("root could make a mount namespace: %s", out)
	}
	p = e.process("cat /proc/self/status; mount -t tmpfs x /tmp && echo mounted")
	p.AddCaps = []string{"CAP_SYS_ADMIN"}
	if out := e.output(p); !strings.Contains(out, "mounted") || field(out, "CapEff") != "00000000a82425fb" {
		t.Errorf("with CAP_SYS_ADMIN: %s", out)
	}
}

func TestHostIsHidden(t *testing.T) {
	e := newEnv(t)
	out := e.output(e.process(`
		for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
			if [ -e $f ] && [ -n "$(head -c 10 $f)" ]; then echo "$f can be read"; fi
		done
		ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v : | grep . && echo "a masked directory has entries"
		echo 1 > /proc/sys/kernel/panic && echo "/proc/sys can be written"
		echo b > /proc/sysrq-trigger && echo "sysrq can be written"
		touch /sys/x && echo "/sys can be written"
		mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null && echo "cgroups can be written"
		mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk && echo "a disk of the host can be read"
		rm -f /tmp/disk
		ps | grep -c -v PID; true`))
	for line := range strings.Lines(out) {
		if strings.Contains(line, " can be ") || strings.Contains(line, "has entries") {
			t.Error(line)
		}
	}
}

func TestNoDescriptorLeaksIn(t *testing.T) {
	e := newEnv(t)
	// The shell's own list, read by a builtin: no program in between.
	out := e.output(e.process("for f in /proc/$$/fd/*; do if [ -e $f ]; then echo ${f##*/}; fi; done"))
	if got := strings.Fields(out); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Fatalf("open in the process: %q", got)
	}
}

func TestDevices(t *testing.T) {
	e := newEnv(t)
	out := e.output(e.process("cd /dev && echo *; echo x > /dev/null; head -c 1 /dev/zero | wc -c; echo /dev/pts/*; stat -c %a /dev/shm"))
	for _, name := range strings.Fields("full null random tty urandom zero fd stdin stdout stderr ptmx pts shm mqueue") {
		if !slices.Contains(strings.Fields(out), name) {
			t.Errorf("/dev has no %s: %s", name, out)
		}
	}
}

func TestNetwork(t *testing.T) {
	e := newEnv(t)
	links := func(network runtime.Network) []string {
		p := e.process("ls /sys/class/net")
		p.Network = network
		names := strings.Fields(e.output(p))
		slices.Sort(names)
		return names
	}
	if got := links(runtime.NetworkNone); !slices.Equal(got, []string{"lo"}) {
		t.Errorf("none: %q", got)
	}
	if out := e.output(e.process("ip addr show lo | grep -c 127.0.0.1/8; ip link show lo | grep -c LOOPBACK,UP")); out != "1\n1\n" {
		t.Errorf("loopback is not up: %q", out)
	}
	var host []string
	devices, err := net.Interfaces()
	must(t, err)
	for _, device := range devices {
		host = append(host, device.Name)
	}
	slices.Sort(host)
	if got := links(runtime.NetworkHost); !slices.Equal(got, host) {
		t.Errorf("host: %q, want %q", got, host)
	}
}

func TestFilesOfEtc(t *testing.T) {
	e := newEnv(t)
	p := e.process("cat /etc/hosts /etc/resolv.conf /etc/hostname; echo x >> /etc/hosts")
	p.Hosts = []runtime.Host{{Name: "registry mirror", Address: "10.1.2.3"}}
	p.ResolvConf = []byte("nameserver 10.9.9.9\n")
	p.Hostname = "box"
	out, exit, err := e.run(p)
	if err != nil || exit.Code == 0 {
		t.Errorf("/etc/hosts can be written: %v %v", exit, err)
	}
	for _, want := range []string{"127.0.0.1\tlocalhost box\n", "10.1.2.3\tregistry mirror\n", "nameserver 10.9.9.9\n", "\nbox\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %q", want, out)
		}
	}
	p = e.process("cat /etc/resolv.conf")
	p.Network = runtime.NetworkHost
	own, _ := os.ReadFile("/etc/resolv.conf")
	if got := e.output(p); got != string(own) {
		t.Errorf("resolv.conf with the host's network: %q, want %q", got, own)
	}
}

func TestMounts(t *testing.T) {
	e := newEnv(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("from the host\n"), 0o644))
	p := e.process(`cat /in/ro/f /in/file; echo y > /in/rw/new; echo x > /in/ro/no; touch /in/tmp/t && stat -c %a /in/tmp`)
	p.Mounts = []runtime.Mount{
		{Target: "/in/ro", Source: dir, ReadOnly: true},
		{Target: "/in/rw", Source: dir},
		{Target: "/in/file", Source: filepath.Join(dir, "f"), ReadOnly: true},
		{Target: "/in/tmp", Size: 1 << 20, Mode: 0o700},
	}
	out, _, err := e.run(p)
	if err != nil || !strings.HasPrefix(out, "from the host\nfrom the host\n") || !strings.Contains(out, "Read-only") || !strings.HasSuffix(out, "700\n") {
		t.Errorf("%v: %q", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "new")); err != nil || string(b) != "y\n" {
		t.Errorf("written through: %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "no")); err == nil {
		t.Error("a read-only mount was written")
	}
	p = e.process("echo x > /f")
	p.ReadOnly = true
	if out, exit, err := e.run(p); err != nil || exit.Code == 0 {
		t.Errorf("read-only root: %v %v %s", exit, err, out)
	}
}
