package pipeline_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/pipeline"
)

// kebab gives a Go name as flags have it.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// What the planner can do, the SDK can ask for, and so can the language.
func TestEveryOptionOfACopyIsAFlag(t *testing.T) {
	// What a method of the SDK sets itself, or an engine.
	own := []string{"File", "Contents", "Bodies", "Epoch"}
	sdk := reflect.TypeFor[graph.CopyOptions]()
	for field := range reflect.TypeFor[compose.Options]().Fields() {
		if _, ok := sdk.FieldByName(field.Name); !ok && !slices.Contains(own, field.Name) {
			t.Errorf("%s of compose.Options is not in the SDK's CopyOptions", field.Name)
		}
	}
	words := pipeline.Words()
	word := words[slices.IndexFunc(words, func(w pipeline.Word) bool { return w.Name == "with-copy" })]
	for field := range sdk.Fields() {
		has := slices.ContainsFunc(word.Flags, func(f pipeline.Flag) bool { return f.Name == kebab(field.Name) })
		if !has && !slices.Contains(own, field.Name) {
			t.Errorf("with-copy has no --%s", kebab(field.Name))
		}
	}
}
