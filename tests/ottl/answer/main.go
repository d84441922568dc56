// Answers line by line what the reference makes of statements, for as long as there are lines: the
// far side of `tests/reference`, which makes up both.
//
// A line `i <OTLP/JSON>` says what the following cases run on: the first log record, span or data
// point in it, in its context. Every other line is a case and is answered with one line: `v` and a
// value expression, `c` and a condition, `s` and statements separated by `;;`. REFUSED is an error
// of the configuration, ERROR one of the row, PANIC where the reference ends itself; of statements
// the whole request is the answer, after ERROR where one of them failed.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"reference/show"
)

// Answers a case; the input is copied for each.
type answerer interface {
	answer(kind, text string) string
}

type host[K any] struct {
	parser ottl.Parser[K]
	// A row of a copy of the input, and that copy as JSON.
	row func() (K, func() ([]byte, error))
}

func (h host[K]) answer(kind, text string) (said string) {
	defer func() {
		if recover() != nil {
			said = "PANIC"
		}
	}()
	ctx := context.Background()
	row, request := h.row()
	switch kind {
	case "v":
		expression, err := h.parser.ParseValueExpression(text)
		if err != nil {
			return "REFUSED"
		}
		value, err := expression.Eval(ctx, row)
		if err != nil {
			return "ERROR"
		}
		return show.Value(value)
	case "c":
		condition, err := h.parser.ParseCondition(text)
		if err != nil {
			return "REFUSED"
		}
		holds, err := condition.Eval(ctx, row)
		if err != nil {
			return "ERROR"
		}
		return fmt.Sprint(holds)
	}
	var parsed []*ottl.Statement[K]
	for _, one := range strings.Split(text, ";;") {
		statement, err := h.parser.ParseStatement(one)
		if err != nil {
			return "REFUSED"
		}
		parsed = append(parsed, statement)
	}
	mark := ""
	for _, statement := range parsed {
		if _, _, err := statement.Execute(ctx, row); err != nil {
			mark = "ERROR "
		}
	}
	json, err := request()
	if err != nil {
		return "UNWRITABLE " + err.Error()
	}
	return mark + string(json)
}

func check[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func logs(text string) answerer {
	settings := componenttest.NewNopTelemetrySettings()
	parser := check(ottllog.NewParser(ottlfuncs.StandardFuncs[*ottllog.TransformContext](), settings, ottllog.EnablePathContextNames()))
	input := check((&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(text)))
	return host[*ottllog.TransformContext]{parser, func() (*ottllog.TransformContext, func() ([]byte, error)) {
		request := plog.NewLogs()
		input.CopyTo(request)
		resource := request.ResourceLogs().At(0)
		scope := resource.ScopeLogs().At(0)
		return ottllog.NewTransformContext(resource, scope, scope.LogRecords().At(0)), func() ([]byte, error) {
			return (&plog.JSONMarshaler{}).MarshalLogs(request)
		}
	}}
}

func spans(text string) answerer {
	settings := componenttest.NewNopTelemetrySettings()
	functions := ottlfuncs.StandardFuncs[*ottlspan.TransformContext]()
	root := ottlfuncs.NewIsRootSpanFactory()
	functions[root.Name()] = root
	parser := check(ottlspan.NewParser(functions, settings, ottlspan.EnablePathContextNames()))
	input := check((&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(text)))
	return host[*ottlspan.TransformContext]{parser, func() (*ottlspan.TransformContext, func() ([]byte, error)) {
		request := ptrace.NewTraces()
		input.CopyTo(request)
		resource := request.ResourceSpans().At(0)
		scope := resource.ScopeSpans().At(0)
		return ottlspan.NewTransformContext(resource, scope, scope.Spans().At(0)), func() ([]byte, error) {
			return (&ptrace.JSONMarshaler{}).MarshalTraces(request)
		}
	}}
}

func points(text string) answerer {
	settings := componenttest.NewNopTelemetrySettings()
	parser := check(ottldatapoint.NewParser(ottlfuncs.StandardFuncs[*ottldatapoint.TransformContext](), settings, ottldatapoint.EnablePathContextNames()))
	input := check((&pmetric.JSONUnmarshaler{}).UnmarshalMetrics([]byte(text)))
	return host[*ottldatapoint.TransformContext]{parser, func() (*ottldatapoint.TransformContext, func() ([]byte, error)) {
		request := pmetric.NewMetrics()
		input.CopyTo(request)
		resource := request.ResourceMetrics().At(0)
		scope := resource.ScopeMetrics().At(0)
		metric := scope.Metrics().At(0)
		return ottldatapoint.NewTransformContext(resource, scope, metric, point(metric)), func() ([]byte, error) {
			return (&pmetric.JSONMarshaler{}).MarshalMetrics(request)
		}
	}}
}

func point(metric pmetric.Metric) any {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return metric.Gauge().DataPoints().At(0)
	case pmetric.MetricTypeSum:
		return metric.Sum().DataPoints().At(0)
	case pmetric.MetricTypeHistogram:
		return metric.Histogram().DataPoints().At(0)
	case pmetric.MetricTypeExponentialHistogram:
		return metric.ExponentialHistogram().DataPoints().At(0)
	default:
		return metric.Summary().DataPoints().At(0)
	}
}

func main() {
	var input answerer
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		switch {
		case kind != "i":
			fmt.Fprintln(out, input.answer(kind, text))
		case strings.HasPrefix(text, `{"resourceSpans"`):
			input = spans(text)
		case strings.HasPrefix(text, `{"resourceMetrics"`):
			input = points(text)
		default:
			input = logs(text)
		}
		// An answer is waited for: what was said so far must not lie here, nor may a
		// case that never ends keep those before it.
		check(0, out.Flush())
	}
	check(0, lines.Err())
}
