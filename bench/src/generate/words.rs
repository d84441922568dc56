//! The vocabulary of the generated telemetry: names as a shop's services would have them.

pub const SERVICES: [&str; 16] = [
    "checkout",
    "cart",
    "catalog",
    "payment",
    "frontend-web",
    "frontend-mobile",
    "shipping",
    "recommendation",
    "currency",
    "email-notifier",
    "fraud-detection",
    "inventory",
    "accounting",
    "quote",
    "ad-server",
    "feature-flags",
];
pub const NAMESPACES: [&str; 6] = ["shop", "payments", "platform", "growth", "data", "edge"];
pub const ROUTES: [&str; 20] = [
    "/api/v2/customers/{customer_id}/orders/{order_id}",
    "/api/v2/customers/{customer_id}/addresses",
    "/api/v2/products/{product_id}",
    "/api/v2/products/{product_id}/reviews",
    "/api/v2/carts/{cart_id}/items",
    "/api/v2/carts/{cart_id}/checkout",
    "/api/v2/payments/{payment_id}/capture",
    "/api/v2/payments/{payment_id}/refund",
    "/api/v2/shipments/{shipment_id}/tracking",
    "/api/v2/search/suggestions",
    "/api/v2/search/products",
    "/api/v2/recommendations/{customer_id}",
    "/api/v2/sessions/{session_id}",
    "/api/v2/inventory/{warehouse_id}/stock",
    "/api/v2/currencies/convert",
    "/api/v2/quotes/{quote_id}",
    "/internal/flags/evaluate",
    "/internal/events/publish",
    "/internal/cache/invalidate",
    "/healthz/ready",
];
pub const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
pub const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/125.0.6422.113 Mobile",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "okhttp/4.12.0",
    "grpc-go/1.64.0",
    "python-requests/2.32.3",
];
pub const SCOPES: [(&str, &str); 4] = [
    ("io.opentelemetry.java-http-server", "2.5.0"),
    (
        "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "0.53.0",
    ),
    ("@opentelemetry/instrumentation-http", "0.52.1"),
    ("opentelemetry.instrumentation.asgi", "0.46b0"),
];
pub const LANGUAGES: [&str; 4] = ["java", "go", "nodejs", "python"];
pub const ENVIRONMENTS: [&str; 3] = ["production", "staging", "canary"];
pub const ZONES: [&str; 6] = [
    "eu-central-1a",
    "eu-central-1b",
    "eu-central-1c",
    "us-east-1a",
    "us-east-1b",
    "us-east-1d",
];
pub const LOG_MESSAGES: [&str; 8] = [
    "request completed",
    "order accepted and handed to fulfilment",
    "payment provider answered slower than its objective, keeping the reservation open",
    "cache miss for product details, loading from the primary store",
    "retrying publication of the event after a transient broker error",
    "session renewed by refresh token",
    "inventory reservation expired before the payment was captured",
    "rate limit for this client reached, answering with 429",
];
pub const LOGGERS: [&str; 6] = [
    "com.example.shop.checkout.OrderController",
    "com.example.shop.payment.ProviderClient",
    "com.example.shop.catalog.ProductRepository",
    "com.example.shop.events.Publisher",
    "com.example.shop.security.SessionFilter",
    "com.example.shop.inventory.ReservationJob",
];
pub const SEVERITIES: [(u32, &str); 4] = [(9, "INFO"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR")];
/// Name, unit, description.
pub const METRICS: [(&str, &str, &str); 10] = [
    (
        "http.server.request.duration",
        "s",
        "Duration of HTTP server requests.",
    ),
    (
        "http.server.active_requests",
        "{request}",
        "Number of active HTTP server requests.",
    ),
    (
        "http.server.response.body.size",
        "By",
        "Size of HTTP server response bodies.",
    ),
    (
        "rpc.client.duration",
        "ms",
        "Measures the duration of outbound RPC.",
    ),
    ("jvm.memory.used", "By", "Measure of memory used."),
    (
        "process.cpu.time",
        "s",
        "Total CPU seconds broken down by different states.",
    ),
    (
        "db.client.operation.duration",
        "s",
        "Duration of database client operations.",
    ),
    (
        "messaging.client.published.messages",
        "{message}",
        "Number of messages producer attempted to publish.",
    ),
    ("system.network.io", "By", "Network bytes transferred."),
    (
        "k8s.container.restarts",
        "{restart}",
        "How many times the container has restarted.",
    ),
];
