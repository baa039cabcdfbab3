package sparsejson_test

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
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
	Small    int8
	Ints     []int
	Number   json.Number
	Named    name
	Names    []name
	Text     texts
	TextAt   *texts
	TextHere textsWhere
	Texts    []texts
	Both     both
	BothAs   bothAs
	Texter   encoding.TextMarshaler
	Bits     []bits
	Octets   []octet
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

type name string

type octet uint8

// bits are bytes that say how they look.
type bits uint8

func (b bits) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(b), 2), nil }

// texts are strings that say how they look.
type texts struct{ V string }

func (t texts) MarshalText() ([]byte, error) {
	if t.V == "no text" {
		return nil, errors.New("no text")
	}
	return []byte("text " + t.V), nil
}

type textsWhere struct{ V string }

func (t *textsWhere) MarshalText() ([]byte, error) { return []byte("text where " + t.V), nil }

// both says in two ways how it looks.
type both struct{ texts }

func (both) MarshalJSON() ([]byte, error) { return []byte(` "as JSON" `), nil }

// bothAs does where it can be addressed.
type bothAs struct{ texts }

func (*bothAs) MarshalJSON() ([]byte, error) { return []byte(` "as JSON" `), nil }

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
	case reflect.Int, reflect.Int8:
		v.SetInt(int64(r.IntN(256) - 128))
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.String:
		if _, ok := v.Interface().(json.Number); ok {
			v.SetString([]string{"1", "-2.5e3"}[r.IntN(2)])
			return
		}
		v.SetString([]string{"", "a", "zero", "<&>\u2028", "\xff\x00\n", `"\`, "a b\x7f"}[r.IntN(7)])
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[encoding.TextMarshaler]() {
			v.Set(reflect.ValueOf([]any{texts{"<"}, &texts{"a"}, time.Unix(1, 2)}[r.IntN(3)]))
			return
		}
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
			v.SetBytes([]byte([]string{"1", ` {"a" : [1, "<"]} `, "null", ` [ {} , "b c" ] `, `"é"`, "\"\u2028\""}[r.IntN(6)]))
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
		math.NaN(), ordinary{Float: math.Inf(1)}, ordinary{Any: func() {}}, ordinary{Raw: json.RawMessage("{")}, ordinary{Raw: json.RawMessage{}}, ordinary{Raw: json.RawMessage("1 2")}, ordinary{Number: "x"},
		ordinary{Text: texts{"no text"}}, ordinary{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, ordinary{Any: make(chan int)}, around, []*inner{around},
	} {
		_, want := json.Marshal(v)
		_, err := sparsejson.Marshal(v)
		if want == nil || err == nil {
			t.Errorf("%T: %v, want an error as %v", v, err, want)
		}
	}
}

// sparse is a record of which little is set.
type sparse struct {
	Op    string
	Text  texts
	Of    []int               `json:",omitempty"`
	At    *sparse             `json:",omitempty"`
	All   *optional           `json:",omitempty"`
	List  []sparse            `json:",omitempty"`
	Began time.Time           `json:",omitzero"`
	Map   map[string]ordinary `json:",omitempty"`
}

// What is encoded the second time, as the first of a process is what this package is for:
// it cannot be measured twice.
func BenchmarkMarshal(b *testing.B) {
	v := sparse{Op: "copy", Text: texts{"of it"}, Of: []int{1, 2}, List: []sparse{{Op: "a", Began: time.Unix(1, 2)}, {At: &sparse{}}}}
	for name, marshal := range map[string]func(any) ([]byte, error){"sparsejson": sparsejson.Marshal, "json": json.Marshal} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := marshal(v); err != nil {
					b.Fatal(err)
				}
			}
		})
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
