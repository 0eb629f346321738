//! Secret names, place by place.

use super::*;
use Verdict::{Keep, Text, TextAndNumbers};

#[test]
fn members_of_data_are_judged_by_words() {
    let table = [
        (
            TextAndNumbers,
            "password PASSWORD passwd passphrase secret credential credentials authorization cookie \
             cookies Set-Cookie db_password DB_PASSWORD dbPassword dbpassword DBPassword SMTPPassword \
             passwordHash passwordhash mypassword user.password pass_word pass-phrase passcode secrets \
             client_secret clientsecret clientSecret CLIENT-SECRET secretkey SecretAccessKey secretArea \
             aws_secret_access_key Proxy-Authorization authorisation req.headers.cookie apikey apiKey \
             api_key API-KEY APIKey APIkey stripeApiKey STRIPE_API_KEY apikeys apitoken APIToken \
             api_token refreshtoken refreshToken refresh_token REFRESH_TOKEN refreshTokens accessToken \
             access_tokens authToken auth_token privatekey privateKey private_key sessionToken \
             session_token bearerToken securityToken otp OTP otpCode otp_code pin PIN pinCode user_pin \
             credentialsJson myApiKey2 OAuthToken",
        ),
        (
            Text,
            "pwd PWD user_pwd pwd2 jwt JWT jwtToken x-jwt token Token TOKEN token2 tokens userToken \
             user_token usertoken IDToken id_token idtoken CSRFToken csrf_token csrftoken JWTToken \
             xsrf-token deviceToken signing_key signingKey SIGNING_KEY encryption_key encryptionkey \
             access_key accessKeyId AWS_ACCESS_KEY_ID service_key account_key AccountKey auth auth_key \
             authKey auth_header authHeader auth_code authCode authcode private_key_id privateKeyPem \
             apiKeyName refresh_token_expires_in authTokenType oauth_state_token __RequestVerificationToken",
        ),
        (
            Keep,
            "prompt_tokens max_tokens maxTokens completion_tokens token_count tokenCount page_token \
             pageToken nextToken next_token nextPageToken next_page_token continuationToken \
             continuation_token syncToken nextSyncToken nexttoken pagetoken key keys Key cache_key \
             cacheKey primary_key foreign_key public_key publicKey publickey idempotency_key \
             idempotencyKey object_key partitionKey sort_key token_type tokenType auth_method authMethod \
             auth_provider code error_code errorCode status_code statusCode websocket_code country_code \
             session session_id sessionId sid callSid CallSid pass passed passing bypass compass \
             compass_words author authors author_id authority authenticated authentication oauth \
             keyword keywords keyboard monkey donkey tokenizer tokenize tokenized secretary \
             undersecretary secretariat pinned spinner shipping mapping opinion option adopt hotpot \
             signature sig state pwdx cooking cook credit credits secure section sector passenger \
             user id name \u{43a}\u{43b}\u{44e}\u{447} \u{1f511}",
        ),
    ];
    for (verdict, names) in table {
        for name in names.split_whitespace() {
            assert_eq!(Redactor::default().judge_field(name), verdict, "{name}");
        }
    }
    assert_eq!(Redactor::default().judge_field(""), Keep);
}

#[test]
fn headers_are_judged_by_words_of_their_own() {
    let secret = "authorization Authorization proxy-authorization cookie set-cookie x-api-key X-Auth \
         x-auth-token x-authentication x-oauth x-access-token x-csrf-token X-TOKEN x-jwt \
         cf-access-jwt-assertion cf-access-client-secret x-session-id session x-sid sid my-secret \
         x-amz-security-token x-goog-api-key ocp-apim-subscription-key x-functions-key key \
         x-telegram-bot-api-secret-token sec-websocket-protocol Sec-WebSocket-Protocol x-otp x-pin \
         x-password x-user-pwd x-apikey x-authtoken";
    for name in secret.split_whitespace() {
        assert_ne!(Redactor::default().judge_header(name), Keep, "{name}");
    }
    let harmless = "accept user-agent host referer origin content-type x-author :authority keyword \
         sec-websocket-key Sec-WebSocket-Key sec-websocket-version sec-websocket-extensions \
         idempotency-key x-idempotency-key x-cache-key surrogate-key x-public-key x-page-token \
         x-correlation-id X-Request-Id traceparent tracestate cf-ray b3 X-B3-TraceId x-b3-sampled \
         sentry-trace baggage x-datadog-trace-id x-datadog-sampling-priority x-cloud-trace-context \
         x-amzn-trace-id x-trace-id x-forwarded-for cf-connecting-ip x-shipping x-passthrough code";
    for name in harmless.split_whitespace() {
        assert_eq!(Redactor::default().judge_header(name), Keep, "{name}");
    }
}

#[test]
fn parameters_are_judged_by_their_whole_name_too() {
    let secret = "code CODE sig signature sid session pass auth key token access_token refresh_token \
         id_token api_key apikey client_secret password pwd jwt otp pin X-Amz-Signature \
         X-Amz-Credential X-Amz-Security-Token x-goog-signature X-Goog-Credential oauth_signature \
         AWSAccessKeyId jsessionid user[password] user%5Bpassword%5D %74oken to%6ben auth+token \
         hub.verify_token _token authenticity_token";
    for name in secret.split_whitespace() {
        assert_ne!(Redactor::default().judge_parameter(name), Keep, "{name}");
    }
    let harmless = "state author keyword keywords q page page_token nextToken error_code codes zipcode \
         keys cache_key sort_key monkey passed compass session_id sidebar signature_method sigma \
         X-Amz-Date X-Amz-Expires X-Amz-Algorithm X-Amz-SignedHeaders token_type response_type \
         code_challenge_method scope redirect_uri client_id grant_type %zz % +";
    for name in harmless.split_whitespace() {
        assert_eq!(Redactor::default().judge_parameter(name), Keep, "{name}");
    }
}

#[test]
fn an_added_name_marks_every_name_that_holds_it() {
    let redactor = redactor_with(&["IBAN", "x-inner", ""]);
    assert_eq!(redactor.judge_field("customerIban"), TextAndNumbers);
    assert_eq!(redactor.judge_header("X-Inner-Id"), TextAndNumbers);
    assert_eq!(redactor.judge_parameter("ib%61n"), TextAndNumbers);
    assert_eq!(redactor.judge_field("urban"), Keep);
    assert_eq!(redactor.redact_text("?x=1&iban=abc"), "?x=1&iban=REDACTED");
}

#[test]
fn an_added_name_never_hides_a_trace() {
    let redactor = redactor_with(&["id", "trace"]);
    for name in crate::redaction::names::HARMLESS_HEADERS {
        assert_eq!(redactor.judge_header(name), Keep, "{name}");
    }
    assert_eq!(redactor.judge_header("x-user-id"), TextAndNumbers);
}

#[test]
fn fields_can_be_left_alone() {
    let redactor = Redactor::new(RedactorOptions {
        added_names: vec!["iban".to_owned()],
        redact_fields: false,
        ..RedactorOptions::default()
    });
    assert_eq!(redactor.judge_field("password"), Keep);
    assert_eq!(redactor.judge_field("iban"), Keep);
    assert_ne!(redactor.judge_header("authorization"), Keep);
    assert_eq!(
        redactor.redact_text("?iban=1&token=2"),
        "?iban=REDACTED&token=REDACTED"
    );
    assert_eq!(
        redactor.redact_text(r#"{"password":"x"}"#),
        r#"{"password":"x"}"#
    );
}
