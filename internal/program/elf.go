package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// maxHeaders bounds the program headers of an ELF file, as the kernel does.
const maxHeaders = 64 << 10

// machine is how a kernel reads ELF files for one of its machines.
type machine struct {
	arch  string
	elf   elf.Machine
	order binary.ByteOrder
	wide  bool // 64 bits
	maybe bool // not every kernel has it
}

// machines gives what a kernel of an architecture executes, nil when that is not
// known here. The kernel reads headers in its own form, whatever they say of
// themselves.
func machines(arch string) []machine {
	le, be := binary.LittleEndian, binary.BigEndian
	switch arch {
	case "amd64":
		return []machine{{"amd64", elf.EM_X86_64, le, true, false}, {"386", elf.EM_386, le, false, true}, {"x32", elf.EM_X86_64, le, false, true}}
	case "arm64":
		return []machine{{"arm64", elf.EM_AARCH64, le, true, false}, {"arm", elf.EM_ARM, le, false, true}}
	case "riscv64":
		return []machine{{"riscv64", elf.EM_RISCV, le, true, false}, {"riscv32", elf.EM_RISCV, le, false, true}}
	case "ppc64le":
		return []machine{{"ppc64le", elf.EM_PPC64, le, true, false}}
	case "s390x":
		return []machine{{"s390x", elf.EM_S390, be, true, false}, {"s390", elf.EM_S390, be, false, true}}
	case "loong64":
		return []machine{{"loong64", elf.EM_LOONGARCH, le, true, false}}
	}
	return nil
}

// header is what the kernel reads of the first bytes of an ELF file.
type header struct {
	kind    elf.Type
	machine elf.Machine
	phoff   uint64
	phsize  int // of one program header
	phnum   int
}

func isELF(head []byte) bool { return bytes.HasPrefix(head, []byte(elf.ELFMAG)) }

// parseHeader reads a header as the kernel of a machine does.
func parseHeader(head []byte, m machine) header {
	b := make([]byte, headSize)
	copy(b, head)
	h := header{kind: elf.Type(m.order.Uint16(b[16:])), machine: elf.Machine(m.order.Uint16(b[18:]))}
	if m.wide {
		h.phoff = m.order.Uint64(b[32:])
		h.phsize, h.phnum = int(m.order.Uint16(b[54:])), int(m.order.Uint16(b[56:]))
	} else {
		h.phoff = uint64(m.order.Uint32(b[28:]))
		h.phsize, h.phnum = int(m.order.Uint16(b[42:])), int(m.order.Uint16(b[44:]))
	}
	return h
}

// check tells whether the kernel takes the file for a program of the machine, and
// gives the size of its program headers.
func (h header) check(m machine) (size int64, err error) {
	want := 56
	if !m.wide {
		want = 32
	}
	switch {
	case h.kind != elf.ET_EXEC && h.kind != elf.ET_DYN:
		return 0, fmt.Errorf("is %s, not a program", kindOfELF(h.kind))
	case h.machine != m.elf:
		return 0, errMachine
	case h.phsize != want:
		return 0, fmt.Errorf("is damaged: its header says that program headers have %d bytes, not %d", h.phsize, want)
	case h.phnum == 0:
		return 0, errors.New("is not a program: it has no program headers")
	case h.phnum*h.phsize > maxHeaders:
		return 0, fmt.Errorf("is damaged: its header says that there are %d program headers", h.phnum)
	}
	return int64(h.phnum * h.phsize), nil
}

var errMachine = errors.New("is for another machine")

func kindOfELF(t elf.Type) string {
	switch t {
	case elf.ET_REL:
		return "an object file (.o)"
	case elf.ET_CORE:
		return "a core dump"
	}
	return fmt.Sprintf("an ELF file of the unknown type %d", uint16(t))
}

// interpreterHeader finds the program header that names an ELF interpreter, and
// gives where the name is in the file.
func interpreterHeader(headers []byte, m machine) (offset, size uint64, ok bool) {
	each := 56
	if !m.wide {
		each = 32
	}
	for ; len(headers) >= each; headers = headers[each:] {
		if elf.ProgType(m.order.Uint32(headers)) != elf.PT_INTERP {
			continue
		}
		if m.wide {
			return m.order.Uint64(headers[8:]), m.order.Uint64(headers[32:]), true
		}
		return uint64(m.order.Uint32(headers[4:])), uint64(m.order.Uint32(headers[16:])), true
	}
	return 0, 0, false
}

// describe says what an ELF file is made for, by what it says of itself.
func describe(head []byte) string {
	b := make([]byte, headSize)
	copy(b, head)
	order, big := binary.ByteOrder(binary.LittleEndian), false
	if elf.Data(b[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order, big = binary.BigEndian, true
	}
	m := elf.Machine(order.Uint16(b[18:]))
	narrow := elf.Class(b[elf.EI_CLASS]) == elf.ELFCLASS32
	pick := func(is bool, a, b string) string {
		if is {
			return a
		}
		return b
	}
	switch m {
	case elf.EM_X86_64:
		return pick(narrow, "amd64 with 32-bit addresses (x32)", pick(big, "amd64 with the wrong byte order", "amd64"))
	case elf.EM_386:
		return "386"
	case elf.EM_AARCH64:
		return pick(big, "arm64 with big-endian byte order", "arm64")
	case elf.EM_ARM:
		return pick(big, "arm with big-endian byte order", "arm")
	case elf.EM_RISCV:
		return pick(narrow, "riscv32", "riscv64")
	case elf.EM_PPC64:
		return pick(big, "ppc64", "ppc64le")
	case elf.EM_S390:
		return pick(narrow, "s390", "s390x")
	case elf.EM_MIPS:
		return pick(narrow, "mips", "mips64") + pick(big, "", "le")
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC:
		return "ppc"
	}
	return fmt.Sprintf("the machine number %d of ELF", uint16(m))
}
