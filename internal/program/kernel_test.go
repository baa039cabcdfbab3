//go:build linux

package program

import (
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/tree"
)

// question is what the child asks the kernel.
type question struct {
	Root   string
	UID    int
	Path   string
	Trials []trial
}

type trial struct{ Name, Dir string }

// askKernel is the child: it goes into the root and tries every program, as
// inlay-runc does: exec.LookPath, then execve.
func askKernel() {
	var q question
	must := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	must(json.NewDecoder(os.Stdin).Decode(&q))
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	must(err)
	must(syscall.Chroot(q.Root))
	must(syscall.Chdir("/"))
	if q.UID != 0 {
		must(syscall.Setgroups([]int{q.UID}))
		must(syscall.Setgid(q.UID))
		must(syscall.Setuid(q.UID))
	}
	os.Clearenv()
	os.Setenv("PATH", q.Path)
	var out []string
	for _, x := range q.Trials {
		must(os.Chdir(x.Dir))
		out = append(out, try(x.Name, null.Fd()))
	}
	must(json.NewEncoder(os.Stdout).Encode(out))
}

func try(name string, null uintptr) string {
	file, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "not in PATH"
	case errors.Is(err, exec.ErrDot):
		return "relative"
	}
	if err == nil {
		var pid int
		pid, err = syscall.ForkExec(file, []string{name, "true"}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null, null, null}})
		if err == nil {
			var status syscall.WaitStatus
			_, _ = syscall.Wait4(pid, &status, 0, nil)
			return "started"
		}
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	if errno == syscall.EISDIR {
		errno = syscall.EACCES
	}
	return errno.Error()
}

// predicted says the same of the model.
func predicted(w *Why, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case w == nil:
		return "started"
	case errors.Is(w.Err, exec.ErrNotFound):
		return "not in PATH"
	case errors.Is(w.Err, exec.ErrDot):
		return "relative"
	}
	return w.Err.Error()
}

// ask asks the kernel.
func ask(t testing.TB, q question) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "INLAY_TEST_KERNEL=1", "GORACE=atexit_sleep_ms=0") // which else waits for a second
	cmd.Stdin = strings.NewReader(string(in))
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	var out []string
	if err := json.Unmarshal(b, &out); err != nil || len(out) != len(q.Trials) {
		t.Fatalf("%v: %s", err, b)
	}
	return out
}

// write makes a plan on disk.
func (p plan) write(t testing.TB, root string) {
	t.Helper()
	paths := slices.Sorted(func(yield func(string) bool) {
		for path := range p {
			if !yield(path) {
				return
			}
		}
	})
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range paths {
		x, at := p[path], filepath.Join(root, path)
		switch x.kind {
		case "dir":
			if path != "/" {
				must(os.Mkdir(at, 0o700))
			}
		case "link":
			must(os.Symlink(x.link, at))
			continue
		case "fifo":
			must(syscall.Mkfifo(at, 0o700))
		default:
			must(os.WriteFile(at, x.body, 0o700))
		}
		must(os.Chown(at, int(x.owner), int(x.owner)))
	}
	for _, path := range slices.Backward(paths) {
		if x := p[path]; x.kind != "link" {
			must(syscall.Chmod(filepath.Join(root, path), uint32(x.mode)))
		}
	}
}

// dynamic gives a program that names an ELF interpreter, and the interpreter.
func dynamic(t testing.TB) (program, loader []byte, name string) {
	t.Helper()
	path, err := exec.LookPath("true")
	if err != nil {
		t.Skip("needs true(1)")
	}
	if program, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Skip("true(1) is no ELF file")
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			_, _ = p.ReadAt(b, 0)
			name = strings.TrimRight(string(b), "\x00")
		}
	}
	if loader, err = os.ReadFile(name); err != nil {
		t.Skip("true(1) has no ELF interpreter")
	}
	return program, loader, name
}

func patched(b []byte, at int, v uint16) []byte {
	b = slices.Clone(b)
	binary.LittleEndian.PutUint16(b[at:], v)
	return b
}

// specimens are programs of all kinds, sound and broken.
func specimens(t testing.TB) (map[string][]byte, string) {
	box := busybox(t)
	program, loader, ld := dynamic(t)
	head := box[:4096] // of what is refused before anything is loaded
	s := map[string][]byte{
		"box": box, "dyn": program, "ld": loader, "empty": nil, "garbage": []byte("\x01\x02\x03"), "text": []byte("echo hello\n"),
		"arm": patched(head, 18, uint16(elf.EM_AARCH64)), "i386": patched(head, 18, uint16(elf.EM_386)), "object": patched(head, 16, uint16(elf.ET_REL)),
		"phsize": patched(head, 54, 32), "phnone": patched(head, 56, 0), "phmany": patched(head, 56, 2000), "short": head[:60], "cut": head[:64], "cut2": program[:400],
		"ldarm": patched(loader, 18, uint16(elf.EM_AARCH64)), "ldobject": patched(loader, 16, uint16(elf.ET_REL)),
		"magic": []byte("\x7fELF"), "mz": []byte("MZ\x00\x01"),
	}
	for name, line := range map[string]string{
		"sh": "#!/bin/sh\nexit 0\n", "blank": "#! \t /bin/sh \t\n", "nonl": "#!/bin/sh", "nonl-arg": "#!/bin/sh -e", "none": "#!\n", "none2": "#! \t\n", "bare": "#!", "nul": "#!\x00/bin/sh\n",
		"nul2": "#!/bin/sh\x00x\n", "dos": "#!/bin/sh\r\nexit 0\r\n", "rel": "#!usr/bin/sh\n", "rel2": "#!sh\n", "env": "#!/usr/bin/env nothing\n", "gone": "#!/usr/bin/gone\n",
		"dirint": "#!/usr\n", "slash": "#!/bin/sh/\n", "long": "#!/" + strings.Repeat("x", 300) + "\n", "long-arg": "#!/bin/sh " + strings.Repeat("x", 300) + "\n",
		"blanks": "#!" + strings.Repeat(" ", 300) + "/bin/sh\n", "just": "#!/" + strings.Repeat("x", 252), "just2": "#!/" + strings.Repeat("x", 251) + "\n", "name": "#!/bin/" + strings.Repeat("n", 200) + "/x\n",
		"s1": "#!/p/sh\n", "s2": "#!/p/s1\n", "s3": "#!/p/s2\n", "s4": "#!/p/s3\n", "s5": "#!/p/s4\n", "s6": "#!/p/s5\n", "self": "#!/p/self\n", "s5gone": "#!/p/g4\n",
		"g0": "#!/gone\n", "g1": "#!/p/g0\n", "g2": "#!/p/g1\n", "g3": "#!/p/g2\n", "g4": "#!/p/g3\n", "toempty": "#!/p/empty\n", "todyn": "#!/p/dyn\n", "toarm": "#!/p/arm\n", "tofifo": "#!/p/fifo\n", "bom": "\xef\xbb\xbf#!/bin/sh\n",
	} {
		s[name] = []byte(line)
	}
	return s, ld
}

// sound gives a tree in which things work, with all specimens in /p.
func sound(t testing.TB) (plan, []trial) {
	s, ld := specimens(t)
	p := plan{
		"/": dir(0o755), "/bin": link("usr/bin"), "/usr/bin/busybox": bytesOf(0o755, s["box"]), "/usr/bin/sh": link("busybox"), "/usr/bin/env": link("/bin/busybox"),
		ld: bytesOf(0o755, s["ld"]), "/keep": dir(0o755), "/p/fifo": {kind: "fifo", mode: 0o755}, "/circle": link("circle2"), "/circle2": link("/circle"), "/p/dangling": link("../nowhere/x"),
		"/p/up": link("../../../usr/../bin/sh"), "/p/file/": {}, "/p/d/sub": dir(0o755), "/p/dirlink": link("d"), "/owned/sh": bytesOf(0o700, s["sh"]).by(5),
		"/far": link("p/../keep/../bin"), "/notdir": link("/p/empty/x"),
	}
	delete(p, "/p/file/")
	trials := []trial{
		{"sh", "/"}, {"busybox", "/"}, {"nothing", "/"}, {"empty", "/"}, {"", "/"}, {".", "/"}, {"p", "/"}, {"/", "/"}, {"/bin/sh", "/"}, {"/bin/sh/", "/"}, {"/bin/../bin/sh", "/"}, {"/bin/./sh", "/"},
		{"//usr//bin//sh", "/"}, {"./sh", "/usr/bin"}, {"sh", "/usr/bin"}, {"../bin/sh", "/keep"}, {"../usr/bin/sh", "/keep"}, {"usr/bin/sh", "/"}, {"/circle/x", "/"}, {"/circle", "/"}, {"/p/dangling", "/"},
		{"/p/up", "/"}, {"/p/dirlink", "/"}, {"/p/dirlink/", "/"}, {"/p/fifo", "/"}, {"/bin/sh/x", "/"}, {"/p/empty/../sh", "/"}, {"/p/d/../sh", "/"}, {"/p/nowhere/../sh", "/"}, {"/owned/sh", "/"},
		{"/far/sh", "/"}, {"/notdir", "/"}, {"/" + strings.Repeat("n", 256), "/"}, {strings.Repeat("/x", 2100), "/"}, {"/p/" + strings.Repeat("n", 255), "/"}, {"/link40", "/"}, {"/link41", "/"},
	}
	p["/link1"] = link("/p/sh")
	for i := 2; i <= 41; i++ {
		p[fmt.Sprintf("/link%d", i)] = link(fmt.Sprintf("link%d", i-1))
	}
	for name, b := range s {
		p["/p/"+name] = bytesOf(0o755, b)
		trials = append(trials, trial{"/p/" + name, "/"})
	}
	trials = append(trials, trial{"/p/rel", "/usr"}, trial{"/p/rel2", "/usr/bin"})
	return p.complete(), trials
}

// spoil changes something at random.
func spoil(p plan, r *rand.Rand) string {
	var paths []string
	for path := range p {
		if path != "/" && path != "/keep" && path != "/usr/bin" && path != "/usr" && !strings.HasPrefix(path, "/link") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	weighty := []string{"/bin", "/usr/bin/sh", "/usr/bin/busybox", "/usr/bin/env", "/p", "/lib64", "/lib", "/p/dyn", "/p/sh"}
	path := paths[r.IntN(len(paths))]
	if at := weighty[r.IntN(len(weighty))]; r.IntN(2) == 0 {
		if _, ok := p[at]; ok {
			path = at
		}
	}
	drop := func() {
		for other := range p {
			if other == path || strings.HasPrefix(other, path+"/") {
				delete(p, other)
			}
		}
	}
	modes := []tree.Mode{0, 0o644, 0o755, 0o700, 0o711, 0o070, 0o001, 0o010, 0o100, 0o4755, 0o600}
	x := p[path]
	how := r.IntN(9)
	switch how {
	case 0:
		drop()
	case 1, 2, 3:
		x.mode = modes[r.IntN(len(modes))]
		p[path] = x
	case 4:
		x.owner = uint32(5 * r.IntN(3))
		p[path] = x
	case 5:
		drop()
		p[path] = dir(0o755)
	case 6:
		drop()
		p[path] = body(0o755, "#!/bin/sh\n")
	case 7:
		drop()
		p[path] = link([]string{"/nowhere", "usr", "/usr/bin", "circle", path, "/p/ldarm", "/p/ldobject", "/p/text", "/p/short", "/keep", "/p/sh"}[r.IntN(11)])
	case 8:
		drop()
		other := paths[r.IntN(len(paths))]
		if o, ok := p[other]; ok && o.kind == "file" {
			p[path] = o
		}
	}
	return fmt.Sprintf("%s: %d", path, how)
}

// What the model says of a program is what the kernel says.
func TestTheKernelAgrees(t *testing.T) {
	needsRoot(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the specimens are made for amd64")
	}
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	seen := map[string]int{}
	for round := range rounds {
		p, trials := sound(t)
		r := rand.New(rand.NewPCG(7, uint64(round)))
		var how []string
		for range r.IntN(5) * min(round, 1) {
			how = append(how, spoil(p, r))
		}
		p.complete()
		base, err := os.MkdirTemp("", "inlay-kernel-")
		if err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(base, "root")
		if err := errors.Join(os.Chmod(base, 0o755), os.Mkdir(root, 0o755)); err != nil {
			t.Fatal(err)
		}
		p.write(t, root)
		value, contents := p.tree(t)
		for _, uid := range []int{0, 5} {
			path := []string{"/usr/bin:/bin", "/nowhere:/p/dirlink:/p:/usr/bin", ".:/bin", "/bin:", "bin", "/circle:/bin/sh:/p/empty:/keep"}[(round+uid)%6]
			got := ask(t, question{Root: root, UID: uid, Path: path, Trials: trials})
			for i, x := range trials {
				process := Process{Name: x.Name, Dir: x.Dir, Path: path, UID: uint32(uid), Groups: []uint32{uint32(uid)}}
				c, err := newCase(t.Context(), View{Root: value, Contents: contents}, process)
				if err != nil {
					t.Fatal(err)
				}
				w, err := c.predict()
				seen[got[i]]++
				want := predicted(w, err)
				if got[i] != want {
					// The kernel counts symlinks twice when it has to begin a walk
					// again, so one time in many thousands 40 are too many for it.
					got[i] = ask(t, question{Root: root, UID: uid, Path: path, Trials: []trial{x}})[0]
				}
				if got[i] != want {
					t.Errorf("round %d, user %d, PATH %s, spoilt %v: %q in %s: the kernel says %q, the model %q (%+v)", round, uid, path, how, x.Name, x.Dir, got[i], want, w)
				}
				if w != nil && w.Text == "" {
					t.Errorf("no text: %+v", w)
				}
			}
		}
		os.RemoveAll(base)
		if t.Failed() {
			break
		}
	}
	t.Logf("the kernel said: %v", seen)
}
