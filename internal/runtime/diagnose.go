//go:build linux

package runtime

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// neverRan is the exit code of runc's own process when the kernel refused to
// execute the program at the last moment, when runc cannot tell any more.
const neverRan = 255

// diagnose looks at a program that ended with neverRan, and says why it cannot
// have been executed; nil when it could have been. It reads a few pages of the
// root.
func diagnose(p *Process) *StartError {
	fd, err := unix.Open(p.Root, dirFlags, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	root := &stubs{root: fd}
	file := root.program(p)
	if file == nil {
		return nil
	}
	defer file.Close()
	head := make([]byte, 256)
	n, _ := io.ReadFull(file, head)
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		line, _, _ := bytes.Cut(head[2:], []byte("\n"))
		if words := bytes.Fields(line); len(words) > 0 && !root.has(string(words[0])) {
			return &StartError{Path: p.Args[0], Code: 127, Err: fs.ErrNotExist, Reason: fmt.Sprintf("its interpreter %q does not exist", words[0])}
		}
		return nil
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return root.diagnoseELF(p, file)
	}
	return &StartError{Path: p.Args[0], Code: 126, Err: unix.ENOEXEC, Reason: "it is neither a program for this machine nor a script that begins with #!"}
}

func (s *stubs) diagnoseELF(p *Process, file *os.File) *StartError {
	program, err := elf.NewFile(file)
	if err != nil {
		return &StartError{Path: p.Args[0], Code: 126, Err: unix.ENOEXEC, Reason: "it is a damaged program: " + err.Error()}
	}
	for _, part := range program.Progs {
		if part.Type != elf.PT_INTERP {
			continue
		}
		name, _ := io.ReadAll(io.LimitReader(part.Open(), unix.PathMax))
		if loader := strings.TrimRight(string(name), "\x00"); !s.has(loader) {
			return &StartError{Path: p.Args[0], Code: 127, Err: fs.ErrNotExist,
				Reason: fmt.Sprintf("its loader %q does not exist (a program of another C library, or a tree without its libraries)", loader)}
		}
	}
	if machine, known := machines()[runtime.GOARCH]; known && program.Machine != machine && program.Machine != elf.EM_386 {
		return &StartError{Path: p.Args[0], Code: 126, Err: unix.ENOEXEC,
			Reason: fmt.Sprintf("it is a program for another machine (%v)", program.Machine)}
	}
	return nil
}

func machines() map[string]elf.Machine {
	return map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390,
	}
}

// program opens the file that p would execute, nil when there is none.
func (s *stubs) program(p *Process) *os.File {
	name := p.Args[0]
	if strings.Contains(name, "/") {
		return s.regular(path.Join("/", p.Dir, name), name)
	}
	for _, env := range p.Env {
		if list, ok := strings.CutPrefix(env, "PATH="); ok {
			for dir := range strings.SplitSeq(list, ":") {
				if file := s.regular(path.Join("/", dir, name), ""); file != nil {
					return file
				}
			}
		}
	}
	return nil
}

// regular opens the regular file at name, or at absolute if that is one.
func (s *stubs) regular(name, absolute string) *os.File {
	if path.IsAbs(absolute) {
		name = absolute
	}
	place, err := s.resolve(name)
	if err != nil {
		return nil
	}
	fd, err := s.open(place, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(fd), name)
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil
	}
	return file
}

func (s *stubs) has(name string) bool {
	file := s.regular(name, "")
	if file == nil {
		return false
	}
	file.Close()
	return true
}
