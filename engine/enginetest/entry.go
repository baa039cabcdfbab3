package enginetest

import "github.com/inlaybuild/inlay/graph"

// entryLaws are those of new entries, and of taking them away.
func entryLaws() []law {
	return []law{
		{name: "a file, a directory and a symlink", node: of("d 700", "d/f=x 640 1:2 @3", "l -> d"),
			want: []string{"d/ 700", "d/f=x 640 1:2 @3", "l -> d"}},
		{name: "a new file replaces a file", node: of("f=1 600", "f=2"), want: []string{"f=2"}},
		{name: "a new file goes through symlinks", node: of("d/", "l -> d", "l/f=1"), want: []string{"d/", "d/f=1", "l -> d"}},
		{name: "a new directory that is there stays", node: of("d 700", "d/f=1", "d"), want: []string{"d/ 700", "d/f=1"}},
		{name: "a symlink replaces a symlink", node: of("l -> a", "l -> b"), want: []string{"l -> b"}},
		{name: "a symlink may lead nowhere and out", node: of("l -> ../../../etc"), want: []string{"l -> ../../../etc"}},
		{name: "what is taken away is gone with all below", node: on(of("a/b/c=1", "d=2"), graph.Remove{Paths: []string{"/a"}}), want: []string{"d=2"}},
		{name: "a symlink is taken away itself", node: on(of("a/b=1", "l -> a"), graph.Remove{Paths: []string{"/l"}}), want: []string{"a/", "a/b=1"}},
		{name: "parents of what is taken away are followed", node: on(of("a/b=1", "l -> a"), graph.Remove{Paths: []string{"/l/b"}}), want: []string{"a/", "l -> a"}},
		{name: "patterns take away what matches", node: on(of("a1=1", "a2=2", "b=3"), graph.Remove{Paths: []string{"/a*"}}), want: []string{"b=3"}},
		{name: "taking away nothing is no error", node: on(of("a=1"), graph.Remove{Paths: []string{"/b/c"}}), want: []string{"a=1"}},
	}
}

// subLaws are those of directories taken as values.
func subLaws() []law {
	n := of("d/x=1", "d/out -> ../../f", "d/abs -> /x", "f=2", "l -> d")
	return []law{
		{name: "a directory is a tree of its own", node: on(n, graph.Sub{Path: "/d"}), want: []string{"abs -> /x", "out -> ../../f", "x=1"}},
		{name: "a symlink to a directory is followed", node: on(n, graph.Sub{Path: "/l"}), want: []string{"abs -> /x", "out -> ../../f", "x=1"}},
		{name: "nothing outside can be reached", node: put(of(), "/", on(n, graph.Sub{Path: "/d"}), "/out", graph.CopyOptions{}), err: "/out"},
		{name: "absolute symlinks start at its root", node: put(of(), "/y", on(n, graph.Sub{Path: "/d"}), "/abs", graph.CopyOptions{}), want: []string{"y=1"}},
		{name: "a file is no directory", node: on(n, graph.Sub{Path: "/f"}), err: "/f"},
		{name: "what does not exist is an error", node: on(n, graph.Sub{Path: "/d/no"}), err: "/d"},
	}
}
