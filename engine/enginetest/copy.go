package enginetest

import "github.com/inlaybuild/inlay/graph"

// copyLaws are what becomes of entries that meet, by kind.
func copyLaws() []law {
	overlay := graph.CopyOptions{Contents: true, Overlay: true}
	usr := of("usr/bin/sh=sh 755", "bin -> usr/bin")
	tool := of("bin/tool=tool 755")
	return []law{
		{name: "directories merge, and the source's attributes win",
			node: put(of("a/x=1", "a 700"), "/", of("a 711 3:4 @5", "a/y=2"), "/", contents),
			want: []string{"a/ 711 3:4 @5", "a/x=1", "a/y=2"}},
		{name: "a directory merges into the one that a symlink leads to",
			node: put(usr, "/", tool, "/", contents),
			want: []string{"bin -> usr/bin", "usr/", "usr/bin/", "usr/bin/sh=sh 755", "usr/bin/tool=tool 755"}},
		{name: "a directory replaces a symlink in overlay mode",
			node: put(usr, "/", tool, "/", overlay),
			want: []string{"bin/", "bin/tool=tool 755", "usr/", "usr/bin/", "usr/bin/sh=sh 755"}},
		{name: "a directory merges through a chain of symlinks, absolute and upwards",
			node: put(of("a -> /b", "b -> c/../d", "c/", "d/x=1"), "/", of("a/y=2"), "/", contents),
			want: []string{"a -> /b", "b -> c/../d", "c/", "d/", "d/x=1", "d/y=2"}},
		{name: "a directory replaces a file", node: put(of("a=1"), "/", of("a/x=2"), "/", contents),
			want: []string{"a/", "a/x=2"}},
		{name: "a directory replaces a dangling symlink", node: put(of("a -> nowhere"), "/", of("a/x=2"), "/", contents),
			want: []string{"a/", "a/x=2"}},
		{name: "a directory replaces a symlink to a file", node: put(of("a -> f", "f=1"), "/", of("a/x=2"), "/", contents),
			want: []string{"a/", "a/x=2", "f=1"}},
		{name: "a file replaces a directory with all it holds", node: put(of("a/b/c=1"), "/", of("a=2"), "/", contents),
			want: []string{"a=2"}},
		{name: "a file replaces a symlink and is not written through it", node: put(of("a -> f", "f=1"), "/", of("a=2"), "/", contents),
			want: []string{"a=2", "f=1"}},
		{name: "a symlink replaces a directory", node: put(of("a/b=1"), "/", of("a -> elsewhere"), "/", contents),
			want: []string{"a -> elsewhere"}},
		{name: "a tree copied into itself is used as it was",
			node: func() *graph.Node { n := of("a/x=1"); return put(n, "/a", n, "/", contents) }(),
			want: []string{"a/", "a/a/", "a/a/x=1", "a/x=1"}},
		{name: "a copy into the empty tree gives the source", node: put(of(), "/", of("a", "a/x=1 1:2", "l -> a"), "/", contents),
			want: []string{"a/", "a/x=1 1:2", "l -> a"}},
		{name: "copying twice is copying once",
			node: put(put(of("a=0"), "/d", of("a/x=1"), "/", contents), "/d", of("a/x=1"), "/", contents),
			want: []string{"a=0", "d/", "d/a/", "d/a/x=1"}},
	}
}

// intoLaws are where a copy lands.
func intoLaws() []law {
	f := of("f=f 600 1:2", "l -> f", "d/x=1", "d/y=2", "e/z=3")
	none := graph.CopyOptions{}
	return []law{
		{name: "a file goes onto a path that does not exist", node: put(of(), "/a/b", f, "/f", none),
			want: []string{"a/", "a/b=f 600 1:2"}},
		{name: "a file goes into a path that ends in a slash", node: put(of(), "/a/b/", f, "/f", none),
			want: []string{"a/", "a/b/", "a/b/f=f 600 1:2"}},
		{name: "a file goes into a directory", node: put(of("a/"), "/a", f, "/f", none),
			want: []string{"a/", "a/f=f 600 1:2"}},
		{name: "a file goes into the directory of a symlink", node: put(of("a/", "b -> a"), "/b", f, "/f", none),
			want: []string{"a/", "a/f=f 600 1:2", "b -> a"}},
		{name: "a file goes through a symlink on the way", node: put(of("usr/bin/", "bin -> usr/bin"), "/bin/t", f, "/f", none),
			want: []string{"bin -> usr/bin", "usr/", "usr/bin/", "usr/bin/t=f 600 1:2"}},
		{name: "a file goes through a last symlink", node: put(of("a=1", "b -> a"), "/b", f, "/f", none),
			want: []string{"a=f 600 1:2", "b -> a"}},
		{name: "a file makes what a dangling symlink names", node: put(of("b -> x/new"), "/b", f, "/f", none),
			want: []string{"b -> x/new", "x/", "x/new=f 600 1:2"}},
		{name: "a file goes onto a file", node: put(of("a=1"), "/a", f, "/f", none), want: []string{"a=f 600 1:2"}},
		{name: "a source that is a symlink is followed", node: put(of(), "/", f, "/l", none), want: []string{"l=f 600 1:2"}},
		{name: "a source that is a symlink is kept when asked", node: put(of(), "/", f, "/l", graph.CopyOptions{KeepLink: true}),
			want: []string{"l -> f"}},
		{name: "the contents of a directory go in", node: put(of("t/"), "/t", f, "/d", none), want: []string{"t/", "t/x=1", "t/y=2"}},
		{name: "several sources go in", node: on(of(), graph.Copy{To: "/t", From: []string{"/f", "/d"}}, f),
			want: []string{"t/", "t/f=f 600 1:2", "t/x=1", "t/y=2"}},
		{name: "a pattern copies every match", node: put(of(), "/t/", f, "/[de]", none),
			want: []string{"t/", "t/x=1", "t/y=2", "t/z=3"}},
		{name: "the destination keeps its attributes", node: put(of("t 700 5:6"), "/t", of("x=1"), "/", contents),
			want: []string{"t/ 700 5:6", "t/x=1"}},
		{name: "a destination that is made takes the source's attributes", node: put(of(), "/t", of("d 700 7:7 @9"), "/d", contents),
			want: []string{"t/ 700 7:7 @9"}},
		{name: "a source that does not exist is an error with the nearest directory", node: put(of(), "/", f, "/d/no/way", none), err: "/d"},
		{name: "no match is an error", node: put(of(), "/", f, "/q*", none), err: "nothing matches"},
		{name: "no match is none when allowed", node: put(of("a=1"), "/", f, "/q*", graph.CopyOptions{AllowEmpty: true}), want: []string{"a=1"}},
		{name: "a parent that is a file is an error", node: put(of("a=1"), "/a/b", f, "/f", none), err: "/a"},
		{name: "a parent that is a file is replaced in overlay mode", node: put(of("a=1"), "/a/b", f, "/f", graph.CopyOptions{Overlay: true}),
			want: []string{"a/", "a/b=f 600 1:2"}},
		{name: "a loop of symlinks is an error", node: put(of("a -> b", "b -> a"), "/a/x", f, "/f", none), err: "a"},
		{name: "contents of a file are an error", node: put(of(), "/x", f, "/f", contents), err: "not a directory"},
	}
}

// optionLaws are what options do.
func optionLaws() []law {
	src := of("a/x=1 600", "a/y.o=2", "b=3", "l -> b")
	seven := int64(7)
	return []law{
		{name: "owner is given to all that is copied and made", node: put(of("etc/passwd=ann:x:8:9::/:/bin/sh\n"), "/new/d", of("x=1"), "/", graph.CopyOptions{Contents: true, Owner: "ann"}),
			want: []string{"etc/", "etc/passwd=ann:x:8:9::/:/bin/sh\n", "new/ 8:9", "new/d/ 8:9", "new/d/x=1 8:9"}},
		{name: "an unknown owner is an error", node: put(of(), "/", src, "/b", graph.CopyOptions{Owner: "bob"}), err: "bob"},
		{name: "mode changes all but symlinks", node: put(of(), "/", src, "/", graph.CopyOptions{Contents: true, Mode: "go-rx"}),
			want: []string{"a/ 700", "a/x=1 600", "a/y.o=2 600", "b=3 600", "l -> b"}},
		{name: "time is given to all that is copied", node: put(of(), "/", src, "/b", graph.CopyOptions{Time: &seven}), want: []string{"b=3 @7"}},
		{name: "include keeps what matches", node: put(of(), "/", src, "/", graph.CopyOptions{Contents: true, Include: []string{"a/x"}}),
			want: []string{"a/", "a/x=1 600"}},
		{name: "exclude leaves out what matches", node: put(of(), "/", src, "/", graph.CopyOptions{Contents: true, Exclude: []string{"**/*.o", "l"}}),
			want: []string{"a/", "a/x=1 600", "b=3"}},
		{name: "gitignore leaves out what git would ignore", node: put(of(), "/", of(".gitignore=*.o\n/b\n", "a/x.o=1", "a/b=2", "b=3", "c/.gitignore=!y.o\n", "c/y.o=4"), "/",
			graph.CopyOptions{Contents: true, Gitignore: true}),
			want: []string{".gitignore=*.o\n/b\n", "a/", "a/b=2", "c/", "c/.gitignore=!y.o\n", "c/y.o=4"}},
		{name: "the rules above a source directory count", node: put(of(), "/", of(".gitignore=*.o\n", "a/x.o=1", "a/b=2"), "/a",
			graph.CopyOptions{Contents: true, Gitignore: true}),
			want: []string{"b=2"}},
		{name: "replace empties the destination", node: put(of("d/old=1", "e=2"), "/d", src, "/a", graph.CopyOptions{Contents: true, Existing: "replace"}),
			want: []string{"d/", "d/x=1 600", "d/y.o=2", "e=2"}},
		{name: "forbid refuses to overwrite", node: put(of("b=1"), "/", src, "/", graph.CopyOptions{Contents: true, Existing: "forbid"}), err: "/b"},
		{name: "forbid lets directories merge", node: put(of("a/z=1"), "/", src, "/", graph.CopyOptions{Contents: true, Existing: "forbid"}),
			want: []string{"a/", "a/x=1 600", "a/y.o=2", "a/z=1", "b=3", "l -> b"}},
	}
}
