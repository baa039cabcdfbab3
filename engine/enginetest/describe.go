package enginetest

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/inlaybuild/inlay/graph"
)

// describe gives an op for people, with the fields that are not zero. Names are
// quoted, as they may be any bytes.
func describe(op graph.Op) string {
	return strings.TrimSpace(op.Name() + " " + fields(reflect.ValueOf(op)))
}

func fields(v reflect.Value) string {
	var out []string
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() {
			continue
		}
		name := v.Type().Field(i).Name
		if name == "Options" {
			out = append(out, fields(f))
			continue
		}
		out = append(out, name+"="+value(f))
	}
	return strings.Join(out, " ")
}

func value(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		return value(v.Elem())
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	case reflect.Struct:
		return "{" + fields(v) + "}"
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("%q", v.Bytes())
		}
		var out []string
		for i := range v.Len() {
			out = append(out, value(v.Index(i)))
		}
		return "[" + strings.Join(out, " ") + "]"
	}
	return fmt.Sprint(v.Interface())
}
