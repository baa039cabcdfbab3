package enginetest

import "github.com/inlaybuild/inlay/graph"

// setAttrLaws are what a change of attributes does.
func setAttrLaws() []law {
	seven := int64(7)
	t := of("d 700", "d/x=1 600", "d/l -> x", "l -> d", "y=2")
	linked := on(t, graph.Hardlink{Target: "/d/x", Path: "/z"})
	return []law{
		{name: "all below a path is changed, symlinks have no mode", node: on(t, graph.SetAttr{Paths: []string{"/d"}, Mode: "go+rX"}),
			want: []string{"d/", "d/l -> x", "d/x=1", "l -> d", "y=2"}},
		{name: "a path is followed", node: on(t, graph.SetAttr{Paths: []string{"/l"}, Owner: "1:2"}),
			want: []string{"d/ 700 1:2", "d/l -> x 1:2", "d/x=1 600 1:2", "l -> d", "y=2"}},
		{name: "what a pattern finds is not", node: on(t, graph.SetAttr{Paths: []string{"/[ly]"}, Time: &seven}),
			want: []string{"d/ 700", "d/l -> x", "d/x=1 600", "l -> d @7", "y=2 @7"}},
		{name: "shallow leaves what is below", node: on(t, graph.SetAttr{Paths: []string{"/d"}, Mode: "755", Shallow: true}),
			want: []string{"d/", "d/l -> x", "d/x=1 600", "l -> d", "y=2"}},
		{name: "an inode has one set of attributes", node: on(linked, graph.SetAttr{Paths: []string{"/d"}, Owner: "5"}),
			want: []string{"d/ 700 5:5", "d/l -> x 5:5", "d/x=1 600 5:5", "l -> d", "y=2", "z=1 600 5:5 ~d/x"}},
		{name: "an owner's name is looked up", node: on(of("etc/passwd=ann:x:8:9::/:/bin/sh\n", "y=2"), graph.SetAttr{Paths: []string{"/y"}, Owner: "ann"}),
			want: []string{"etc/", "etc/passwd=ann:x:8:9::/:/bin/sh\n", "y=2 8:9"}},
		{name: "a path that does not exist is an error", node: on(t, graph.SetAttr{Paths: []string{"/none"}, Mode: "755"}), err: "does not exist"},
	}
}
