package tree

import "github.com/inlaybuild/inlay/digest"

// References gives the digests that an encoded node refers to: of other nodes,
// and of the contents of files. What is not an encoded node is [ErrMalformed].
func References(node []byte) (nodes, contents []digest.Digest, err error) {
	addTree := func(t Tree) {
		if t.list != nil {
			nodes = append(nodes, t.list.digest())
		}
		if t.links != nil {
			nodes = append(nodes, t.links.digest())
		}
	}
	tag := byte(0)
	if len(node) > 0 {
		tag = node[0]
	}
	switch tag {
	case tagRoot:
		t, err := decodeRoot(node, nil)
		if err != nil {
			return nil, nil, err
		}
		addTree(t)
	case tagLinks:
		_, err := decodeLinks(node)
		return nil, nil, err
	default:
		b, err := decodeBody(node, nil)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range b.kids {
			nodes = append(nodes, k.digest())
		}
		for _, c := range b.children {
			switch e := c.Entry.(type) {
			case Tree:
				addTree(e)
			case File:
				if e.Size > 0 {
					contents = append(contents, e.Content)
				}
			}
		}
	}
	return nodes, contents, nil
}
