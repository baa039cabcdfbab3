package program

import (
	"bytes"
	"errors"
	"syscall"
	"unicode/utf8"
)

// errLibrary is ELIBBAD of Linux, which other systems do not have.
const errLibrary = syscall.Errno(80)

// binary looks at a file that is no script, as load_elf_binary of the kernel does
// until there is no way back.
func (c *explainer) binary(s subject, head []byte) (*Why, error) {
	if !isELF(head) {
		return c.why(s, syscall.ENOEXEC, NotProgram, s.file.at.path, notELF(head, s.file.entry.Size)), nil
	}
	list := machines(c.process.Arch)
	if list == nil {
		return nil, errUnknown
	}
	problem := errMachine
	for _, m := range list {
		h := parseHeader(head, m)
		size, err := h.check(m)
		switch {
		case err != nil && errors.Is(problem, errMachine):
			problem = err
		case err != nil:
		case m.maybe && errors.Is(c.said, syscall.ENOEXEC): // this kernel does not have it
		case m.maybe && c.said == nil:
			return nil, errUnknown
		default:
			return c.load(s, m, int64(h.phoff), size)
		}
	}
	if errors.Is(problem, errMachine) {
		return c.sayMachine(s, syscall.ENOEXEC, head), nil
	}
	return c.why(s, syscall.ENOEXEC, Damaged, s.file.at.path, problem.Error()), nil
}

// load looks for the ELF interpreter of a program, which loads its libraries.
func (c *explainer) load(s subject, m machine, offset, size int64) (*Why, error) {
	f := s.file
	headers, err := f.read(c.ctx, offset, size)
	if err != nil {
		return nil, err
	}
	if int64(len(headers)) < size {
		return c.why(s, syscall.ENOEXEC, Damaged, f.at.path, "is cut off: the file ends before its program headers do"), nil
	}
	at, length, ok := interpreterHeader(headers, m)
	if !ok {
		return nil, nil
	}
	if length < 2 || length > pathMax {
		return c.why(s, syscall.ENOEXEC, Damaged, f.at.path, "is damaged: the name of its ELF interpreter has an impossible length"), nil
	}
	name, err := f.read(c.ctx, int64(at), int64(length))
	if err != nil {
		return nil, err
	}
	if uint64(len(name)) < length {
		return c.why(s, syscall.EIO, Damaged, f.at.path, "is cut off: the file ends before the name of its ELF interpreter"), nil
	}
	if name[len(name)-1] != 0 {
		return c.why(s, syscall.ENOEXEC, Damaged, f.at.path, "is damaged: the name of its ELF interpreter has no end"), nil
	}
	name, _, _ = bytes.Cut(name, []byte{0})
	return c.loader(subject{role: Loader, path: string(name), of: s.path}, m)
}

// loader looks at the ELF interpreter itself.
func (c *explainer) loader(s subject, m machine) (*Why, error) {
	f, w, err := c.open(s)
	if err != nil || w != nil {
		return w, err
	}
	s.file = f
	least := int64(64)
	if !m.wide {
		least = 52
	}
	head, err := f.read(c.ctx, 0, headSize)
	if err != nil {
		return nil, err
	}
	if int64(len(head)) < least {
		return c.why(s, syscall.EIO, Damaged, f.at.path, "is too short for a program"), nil
	}
	if !isELF(head) {
		return c.why(s, errLibrary, NotProgram, f.at.path, notELF(head, f.entry.Size)), nil
	}
	h := parseHeader(head, m)
	if h.machine != m.elf {
		return c.sayMachine(s, errLibrary, head), nil
	}
	h.kind = 2 // the kernel looks at it later, when there is no way back
	size, err := h.check(m)
	if err != nil {
		return c.why(s, errLibrary, Damaged, f.at.path, err.Error()), nil
	}
	headers, err := f.read(c.ctx, int64(h.phoff), size)
	if err == nil && int64(len(headers)) < size {
		return c.why(s, errLibrary, Damaged, f.at.path, "is cut off: the file ends before its program headers do"), nil
	}
	return nil, err
}

// notELF says what a file is that is neither an ELF file nor a script.
func notELF(head []byte, size int64) string {
	begins := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	switch {
	case size == 0:
		return "is empty"
	case begins("\xef\xbb\xbf#!"):
		return "begins with a byte order mark (UTF-8) before its #!, so that the kernel does not take it for a script: write it without"
	case begins("MZ"):
		return "is a program for Windows or EFI (MZ)"
	case begins("\xcf\xfa\xed\xfe"), begins("\xce\xfa\xed\xfe"), begins("\xca\xfe\xba\xbe"):
		return "is neither an ELF file nor a script: it looks like a program for macOS, or Java"
	case begins("\x1f\x8b"):
		return "is compressed with gzip: put what is in it"
	case begins("\xff\xfe"), begins("\xfe\xff"):
		return "is text in UTF-16, and no program for the kernel"
	case isText(head):
		return "is text without a first line that names an interpreter: put #!/bin/sh there, or run the interpreter with the file as argument"
	}
	return "is neither an ELF file nor a script that begins with #!"
}

func isText(head []byte) bool {
	if len(head) == headSize { // a rune may be cut
		for n := 0; n < utf8.UTFMax && len(head) > 0 && !utf8.Valid(head); n++ {
			head = head[:len(head)-1]
		}
	}
	return utf8.Valid(head) && bytes.IndexFunc(head, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' && r != '\r' && r != '\f' && r != 0x1b
	}) < 0
}
