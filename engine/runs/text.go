package runs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/internal/sparsejson"
)

// Text is bytes in JSON: a string if they are UTF-8, otherwise an object with
// their base64 form. Names and errors have any.
type Text string

// MarshalJSON gives the string or the object.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return sparsejson.Marshal(string(t))
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(t))})
}

// UnmarshalJSON reads what MarshalJSON gave.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var o struct{ Base64 []byte }
	if err := json.Unmarshal(b, &o); err != nil {
		return fmt.Errorf("a text is neither a string nor base64: %w", err)
	}
	*t = Text(o.Base64)
	return nil
}
