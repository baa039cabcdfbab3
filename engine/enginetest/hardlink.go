package enginetest

import "github.com/inlaybuild/inlay/graph"

// hardlinkLaws are what another name of a file does.
func hardlinkLaws() []law {
	two := on(of("a=1 600", "d/"), graph.Hardlink{Target: "/a", Path: "/d/b"})
	return []law{
		{name: "a file gets another name", node: two, want: []string{"a=1 600", "d/", "d/b=1 600 ~a"}},
		{name: "and another one", node: on(two, graph.Hardlink{Target: "/d/b", Path: "/d/c"}),
			want: []string{"a=1 600", "d/", "d/b=1 600 ~a", "d/c=1 600 ~a"}},
		{name: "a renamed name stays in its group", node: on(two, graph.Rename{From: "/d", To: "/e"}),
			want: []string{"a=1 600", "e/", "e/b=1 600 ~a"}},
		{name: "a name that is replaced leaves its group", node: on(two, graph.NewFile{Path: "/a", Content: []byte("2")}),
			want: []string{"a=2", "d/", "d/b=1 600"}},
		{name: "a directory cannot have two names", node: on(two, graph.Hardlink{Target: "/d", Path: "/e"}), err: "two names"},
		{name: "a target that does not exist is an error", node: on(two, graph.Hardlink{Target: "/x", Path: "/e"}), err: "does not exist"},
		{name: "what is there can be kept by forbidding", node: on(of("a=1", "b=2"), graph.Hardlink{Target: "/a", Path: "/b", Existing: "forbid"}), err: "/b"},
	}
}
