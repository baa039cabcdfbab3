package sparsejson_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/sparsejson"
)

// ordinary has what records are made of.
type ordinary struct {
	Bool     bool
	Int      int `json:"int"`
	Uint     uint8
	Float    float64
	String   string
	Bytes    []byte
	List     []string
	Pair     [2]string
	Pairs    [][2]string
	Map      map[string]int
	Any      any
	Time     time.Time
	Raw      json.RawMessage
	Self     says
	SelfAt   *says
	Pointed  saysWhere
	Inner    inner
	InnerAt  *inner
	Inners   []inner
	InnersAt []*inner
	hidden   int
	Left     int `json:"-"`
}

// optional has the same, left out where it says nothing.
type optional struct {
	Bool     bool              `json:",omitempty"`
	Int      int               `json:"i,omitempty"`
	Uint     uint8             `json:",omitzero"`
	Float    float64           `json:",omitempty"`
	String   string            `json:",omitempty"`
	Bytes    []byte            `json:",omitempty"`
	List     []string          `json:",omitempty"`
	ListZero []string          `json:",omitzero"`
	Pair     [2]string         `json:",omitempty"`
	None     [0]int            `json:",omitempty"`
	PairZero [2]string         `json:",omitzero"`
	Map      map[string]int    `json:",omitempty"`
	Any      any               `json:",omitempty"`
	Time     time.Time         `json:",omitzero"`
	TimeToo  time.Time         `json:",omitempty"`
	Raw      json.RawMessage   `json:",omitempty"`
	Self     says              `json:",omitzero"`
	Where    saysWhere         `json:",omitzero"`
	Zero     *zero             `json:",omitempty"`
	Inner    inner             `json:",omitempty"`
	InnerAt  *inner            `json:",omitempty"`
	Inners   []inner           `json:",omitempty"`
	Both     map[string]string `json:",omitempty,omitzero"`
}

type inner struct {
	A string `json:"a_b-C"`
	B *inner `json:",omitempty"`
	C *odd
	D []odd
}

// odd is left to encoding/json.
type odd struct {
	inside
	N int `json:",string"`
}

type inside struct{ Here string }

type strange struct {
	A int `json:"<&>"`
	B int `json:"é"`
}

// twice has a name for two fields: one wins, or none.
type twice struct {
	X int `json:"C"`
	C int
}

type says struct{ V string }

func (s says) MarshalJSON() ([]byte, error) { return json.Marshal([]string{"says", s.V}) }

type saysWhere struct{ V string }

func (s *saysWhere) MarshalJSON() ([]byte, error) { return []byte(`"where it is"`), nil }
func (s *saysWhere) IsZero() bool                 { return s.V == "zero" }

type zero struct{ V int }

func (z zero) IsZero() bool { return z.V == 7 }

type zeroes struct {
	Zero zero                          `json:",omitzero"`
	Any  any                           `json:",omitzero"`
	List []struct{ At *zero }          `json:",omitzero"`
	Self map[string]map[string]float64 `json:",omitzero"`
}

type zeroAt struct {
	At   *zero                      `json:",omitzero"`
	Some interface{ IsZero() bool } `json:",omitzero"`
}

type numbered map[int]string

// fill sets what it can of a value at random, and leaves about half of it.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	if r.IntN(2) == 0 || depth > 6 {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(r.IntN(9)))
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.String:
		v.SetString([]string{"", "a", "zero", "<&>\u2028", "\xff\x00\n", `"\`}[r.IntN(6)])
	case reflect.Interface:
		if v.NumMethod() > 0 {
			v.Set(reflect.ValueOf(zero{7 * r.IntN(2)}))
			return
		}
		v.Set(reflect.ValueOf([]any{1, "x", inner{A: "y"}, &inner{}, []inner{{}}, (*inner)(nil), zero{7}}[r.IntN(7)]))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth+1)
	case reflect.Slice:
		switch v.Interface().(type) {
		case json.RawMessage:
			v.SetBytes([]byte([]string{"1", ` {"a" : [1, "<"]} `, "null"}[r.IntN(3)]))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range r.IntN(3) {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(r, value, depth+1)
			key := reflect.ValueOf(fmt.Sprint(i))
			if v.Type().Key().Kind() == reflect.Int {
				key = reflect.ValueOf(i)
			}
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<32), r.Int64N(1e9)).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(r, v.Field(i), depth+1)
			}
		}
	default:
		panic("no values of " + v.Type().String())
	}
}

func same(t *testing.T, v any) {
	t.Helper()
	want, wantErr := json.Marshal(v)
	got, err := sparsejson.Marshal(v)
	if (err == nil) != (wantErr == nil) || string(got) != string(want) {
		t.Fatalf("%#v:\n got %s, %v\nwant %s, %v", v, got, err, want, wantErr)
	}
}

func TestWhatIsWrittenIsWhatEncodingJSONWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, of := range []reflect.Type{
		reflect.TypeFor[ordinary](), reflect.TypeFor[optional](), reflect.TypeFor[inner](), reflect.TypeFor[odd](), reflect.TypeFor[strange](),
		reflect.TypeFor[twice](), reflect.TypeFor[zeroes](), reflect.TypeFor[zeroAt](), reflect.TypeFor[says](), reflect.TypeFor[saysWhere](), reflect.TypeFor[[]inner](),
		reflect.TypeFor[[]*inner](), reflect.TypeFor[map[string]inner](), reflect.TypeFor[numbered](), reflect.TypeFor[struct{}](), reflect.TypeFor[[]ordinary](),
	} {
		for range 500 {
			v := reflect.New(of)
			fill(r, v.Elem(), 0)
			same(t, v.Elem().Interface())
			same(t, v.Interface()) // where methods of pointers are found
		}
	}
	same(t, ordinary{hidden: 1})
	same(t, zeroAt{Some: (*zero)(nil)})
	same(t, nil)
	same(t, (*inner)(nil))
	same(t, []inner(nil))
	same(t, []any{inner{}, nil})
}

func TestWhatEncodingJSONRefusesIsRefused(t *testing.T) {
	around := &inner{}
	around.B = around
	for _, v := range []any{
		math.NaN(), ordinary{Float: math.Inf(1)}, ordinary{Any: func() {}}, ordinary{Raw: json.RawMessage("{")}, ordinary{Any: make(chan int)}, around, []*inner{around},
	} {
		_, want := json.Marshal(v)
		_, err := sparsejson.Marshal(v)
		if want == nil || err == nil {
			t.Errorf("%T: %v, want an error as %v", v, err, want)
		}
	}
}

func ExampleMarshal() {
	type record struct {
		Name  string
		Error *struct{ Text string } `json:",omitempty"`
	}
	b, err := sparsejson.Marshal(record{Name: "copy"})
	fmt.Println(string(b), err)
	// Output: {"Name":"copy"} <nil>
}
