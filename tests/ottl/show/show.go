// Package show writes what an expression gives as text that tells types apart.
package show

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Value is the text of one value, in one line.
func Value(v any) string {
	switch t := v.(type) {
	case nil:
		return "nil"
	case string:
		return fmt.Sprintf("%q", t)
	case []byte:
		return "0x" + hex.EncodeToString(t)
	case time.Time:
		return t.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return fmt.Sprintf("%dns", int64(t))
	case pcommon.Map:
		x := pcommon.NewValueMap()
		t.CopyTo(x.SetEmptyMap())
		return x.AsString()
	case pcommon.Slice:
		x := pcommon.NewValueSlice()
		t.CopyTo(x.SetEmptySlice())
		return x.AsString()
	case pcommon.Value:
		if t.Type() == pcommon.ValueTypeStr {
			return fmt.Sprintf("%q", t.Str())
		}
		if t.Type() == pcommon.ValueTypeEmpty {
			return "nil"
		}
		return t.AsString()
	case float64:
		s := fmt.Sprintf("%v", t)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case pcommon.TraceID:
		return "trace:" + hex.EncodeToString(t[:])
	case pcommon.SpanID:
		return "span:" + hex.EncodeToString(t[:])
	case []string:
		v := pcommon.NewValueSlice()
		for _, s := range t {
			v.Slice().AppendEmpty().SetStr(s)
		}
		return "[]string" + v.AsString()
	case []any:
		v := pcommon.NewValueSlice()
		if err := v.Slice().FromRaw(t); err != nil {
			return fmt.Sprintf("%v", t)
		}
		return v.AsString()
	}
	return fmt.Sprintf("%v", v)
}
