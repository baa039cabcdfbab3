//go:build linux

package runtime

import "os"

// files are open files that are closed together.
type files []*os.File

func (f *files) add(file *os.File) { *f = append(*f, file) }

func (f *files) pipe() (out, in *os.File, err error) {
	out, in, err = os.Pipe()
	if err == nil {
		f.add(out)
		f.add(in)
	}
	return out, in, err
}

// close closes them; those that were closed before are not touched.
func (f *files) close() {
	for _, file := range *f {
		file.Close()
	}
}
