package store

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/inlaybuild/inlay/digest"
)

// someRunNodes is a file of three nodes, and where each ends.
func someRunNodes() (file []byte, nodes []Node, ends []int) {
	for _, text := range []string{"a", "bc", string(bytes.Repeat([]byte("d"), 300))} {
		nodes = append(nodes, Node{digest.Of([]byte(text)), []byte(text)})
		file = appendRunNode(file, nodes[len(nodes)-1])
		ends = append(ends, len(file))
	}
	return file, nodes, ends
}

func sameNodes(a, b []Node) bool {
	return slices.EqualFunc(a, b, func(a, b Node) bool { return a.Digest == b.Digest && bytes.Equal(a.Data, b.Data) })
}

func TestTheFileOfNodesOfARunIsWhatItWas(t *testing.T) {
	const want = "00000001" + "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" + "61"
	if got := hex.EncodeToString(appendRunNode(nil, Node{digest.Of([]byte("a")), []byte("a")})); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAFileOfNodesThatIsCutOffHasThoseBefore(t *testing.T) {
	file, nodes, ends := someRunNodes()
	for n := range len(file) + 1 {
		whole, last := 0, 0
		for i, end := range ends {
			if end <= n {
				whole, last = i+1, end
			}
		}
		if got, rest := splitRunNodes(file[:n]); rest != n-last || !sameNodes(got, nodes[:whole]) {
			t.Fatalf("cut off at %d: %d nodes and %d bytes", n, len(got), rest)
		}
	}
}

func FuzzRunNodes(f *testing.F) {
	file, _, _ := someRunNodes()
	f.Add(file)
	f.Add(append(file, 0, 0, 0, 0, 0))
	f.Add(append([]byte{0xff, 0xff, 0xff, 0xff}, file...))
	f.Fuzz(func(t *testing.T, file []byte) {
		nodes, rest := splitRunNodes(file)
		var again []byte
		for _, n := range nodes {
			if len(n.Data) == 0 || len(n.Data) > MaxRunNodes {
				t.Fatalf("a node of %d bytes", len(n.Data))
			}
			again = appendRunNode(again, n)
		}
		if !bytes.Equal(again, file[:len(file)-rest]) {
			t.Fatalf("%x and %d bytes more are not %x", again, rest, file)
		}
	})
}
