package program

import (
	"bytes"
	"errors"
	"path"
	"strings"
)

// scriptLine is what the first line of a script says.
type scriptLine struct {
	interpreter string
	argument    string // all that follows, as one
}

func isScript(head []byte) bool { return bytes.HasPrefix(head, []byte("#!")) }

// parseScript reads the first line of a script from the first headSize bytes of
// the file, as load_script of the kernel does (fs/binfmt_script.c). The error
// says why it is not executed.
func parseScript(head []byte) (scriptLine, error) {
	buf := make([]byte, headSize) // filled up with NUL
	copy(buf, head)
	line := buf[2 : headSize-1]
	if end := bytes.IndexByte(buf, '\n'); end >= 0 {
		line = buf[2:end]
	} else {
		rest := bytes.TrimLeft(buf[2:], " \t")
		if len(rest) == 0 {
			return scriptLine{}, errors.New("is blanks for longer than the 255 bytes that the kernel reads of it")
		}
		if !bytes.ContainsAny(rest, " \t\x00") {
			return scriptLine{}, errors.New("is longer than the 255 bytes that the kernel reads of it")
		}
	}
	line = bytes.Trim(line, " \t")
	if len(line) == 0 {
		return scriptLine{}, errors.New("names no interpreter behind its #! mark")
	}
	name, argument := line, []byte(nil)
	if end := bytes.IndexAny(line, " \t\x00"); end >= 0 {
		name = line[:end]
		if line[end] != 0 {
			argument, _, _ = bytes.Cut(bytes.TrimLeft(line[end:], " \t"), []byte{0})
		}
	}
	return scriptLine{interpreter: string(name), argument: string(argument)}, nil
}

// envName gives the program that env(1) is asked for.
func (l scriptLine) envName() (string, bool) {
	name := strings.TrimRight(l.argument, " \t")
	if path.Base(l.interpreter) != "env" || name == "" || strings.ContainsAny(name, " \t/=") || name[0] == '-' {
		return "", false
	}
	return name, true
}
