<#
.SYNOPSIS
Signs a file and posts it to a responder. For Windows PowerShell 5.1 and PowerShell 7.

.DESCRIPTION
powershell -NoProfile -File post_ticket.ps1 -Url https://webhooks.example.com/webhook/servicedesk/SENDER -SecretFile SECRET FILE

The secret is the sender's, of mode servicedesk. Without -SecretFile it is in the variable SERVICEDESK_SECRET. The delivery is
named after the SHA-256 of the file, or by -Id, so posting the same file again makes no second job. With -Keep DIRECTORY the file is
copied there if the ticket is not queued.

Prints the result that ServiceDesk Plus expects of a script. Exit status: 0 if the ticket is queued, 1 if not.
#>
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^https://')] [string] $Url,
    [string] $SecretFile,
    [string] $Id,
    [string] $Keep,
    [Parameter(Mandatory = $true, Position = 0)] [string] $Path
)
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName System.Net.Http
# Windows PowerShell may otherwise offer only older versions.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

function Get-Hexadecimal([byte[]] $Bytes) { -join ($Bytes | ForEach-Object { $_.ToString('x2') }) }

function Get-FullPath([string] $Path) { (Resolve-Path -LiteralPath $Path).ProviderPath }

[byte[]] $body = [IO.File]::ReadAllBytes((Get-FullPath $Path))
$secret = $env:SERVICEDESK_SECRET
if ($SecretFile) { $secret = [IO.File]::ReadAllText((Get-FullPath $SecretFile)).TrimEnd("`r", "`n") }
if (-not $secret) { throw 'There is no secret: give -SecretFile, or set SERVICEDESK_SECRET.' }

[byte[]] $key = [Text.Encoding]::UTF8.GetBytes($secret)
$signature = Get-Hexadecimal ([Security.Cryptography.HMACSHA256]::new($key).ComputeHash($body))
if (-not $Id) { $Id = 'sha256-' + (Get-Hexadecimal ([Security.Cryptography.SHA256]::Create().ComputeHash($body))) }

# A redirect is a mistake in the URL. Following it could show the ticket to somebody else.
$handler = [Net.Http.HttpClientHandler]::new()
$handler.AllowAutoRedirect = $false
$client = [Net.Http.HttpClient]::new($handler)
$client.Timeout = [TimeSpan]::FromSeconds(20)

# Returns the status, or 0 if there was no response; its text; and the seconds that Retry-After asks for.
function Send-Body {
    $request = [Net.Http.HttpRequestMessage]::new([Net.Http.HttpMethod]::Post, $Url)
    $request.Content = [Net.Http.ByteArrayContent]::new($body)
    $request.Content.Headers.ContentType = [Net.Http.Headers.MediaTypeHeaderValue]::new('application/json')
    [void] $request.Headers.TryAddWithoutValidation('X-ServiceDesk-Signature', $signature)
    [void] $request.Headers.TryAddWithoutValidation('webhook-id', $Id)
    try {
        $response = $client.SendAsync($request).GetAwaiter().GetResult()
        $text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
    } catch {
        return @{ Status = 0; Text = $_.Exception.GetBaseException().Message; Seconds = 0 }
    }
    $seconds = 0
    $retryAfter = $response.Headers.RetryAfter
    if ($retryAfter -and $retryAfter.Delta) { $seconds = [int] $retryAfter.Delta.TotalSeconds }
    return @{ Status = [int] $response.StatusCode; Text = $text; Seconds = $seconds }
}

foreach ($pause in 1, 2, 4, 0) {
    $answer = Send-Body
    if ($answer.Status -notin 0, 429, 502, 503, 504 -or $pause -eq 0) { break }
    Start-Sleep -Seconds ([Math]::Min([Math]::Max($pause, $answer.Seconds), 10))
}

$parsed = $null
try { $parsed = $answer.Text | ConvertFrom-Json } catch { $parsed = $null }
if ($answer.Status -eq 202) {
    $message = "queued as job $($parsed.job_id)"
} elseif ($answer.Status -eq 0) {
    $message = "no response: $($answer.Text)"
} else {
    $faults = @($parsed.errors | Where-Object { $_ } | ForEach-Object { "$($_.field) $($_.message)" }) -join '; '
    if ($faults) { $faults = ": $faults" }
    $message = "$($answer.Status) $($parsed.detail)$faults (request $($parsed.request_id))"
}
$result = if ($answer.Status -eq 202) { 'success' } else { 'failure' }
[ordered] @{ result = $result; message = $message } | ConvertTo-Json -Compress
if ($answer.Status -eq 202) { exit 0 }
if ($Keep) { Copy-Item -LiteralPath $Path -Destination $Keep }
exit 1
