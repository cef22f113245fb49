<#
.SYNOPSIS
Signs a file and posts it to a responder. For Windows PowerShell 5.1 and PowerShell 7.

.DESCRIPTION
powershell -NoProfile -File post_ticket.ps1 -Url https://webhooks.example.com/webhook/servicedesk/SENDER -SecretFile SECRET FILE

The secret is the sender's, of mode servicedesk. Without -SecretFile it is in the variable SERVICEDESK_SECRET. The delivery is
named after the SHA-256 of the file, or by -Id, so posting the same file again makes no second job.

With -Keep DIRECTORY the file is copied there first, and the copy is removed once the ticket is queued. If it is not, whatever the
reason, the copy stays as SHA-256.json; if this process is killed, as unfinished-*.

Prints the result that ServiceDesk Plus expects of a script. Exit status: 0 if the ticket is queued, 1 if not.
#>
param(
    [Parameter(Mandatory = $true)] [string] $Url,
    [string] $SecretFile,
    [string] $Id,
    [string] $Keep,
    [Parameter(Mandatory = $true, Position = 0)] [string] $Path
)
$ErrorActionPreference = 'Stop'

function Get-Hexadecimal([byte[]] $Bytes) { -join ($Bytes | ForEach-Object { $_.ToString('x2') }) }

function Get-FullPath([string] $Path) { (Resolve-Path -LiteralPath $Path).ProviderPath }

function Get-Sha256([byte[]] $Bytes) { Get-Hexadecimal ([Security.Cryptography.SHA256]::Create().ComputeHash($Bytes)) }

function Get-Reason([Management.Automation.ErrorRecord] $Fault) { $Fault.Exception.GetBaseException().Message }

function Get-Secret {
    $secret = $env:SERVICEDESK_SECRET
    if ($SecretFile) { $secret = [IO.File]::ReadAllText((Get-FullPath $SecretFile)).TrimEnd("`r", "`n") }
    if (-not $secret) { throw 'there is no secret: give -SecretFile, or set SERVICEDESK_SECRET' }
    return $secret
}

# Writes a copy under a name that no other process uses, and returns its path.
function Save-Copy([byte[]] $Bytes) {
    $directory = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Keep)
    [void] [IO.Directory]::CreateDirectory($directory)
    $copy = [IO.Path]::Combine($directory, 'unfinished-' + [Guid]::NewGuid().ToString('N'))
    try {
        [IO.File]::WriteAllBytes($copy, $Bytes)
    } catch {
        [IO.File]::Delete($copy)
        throw
    }
    return $copy
}

# Names the copy after its content, so that the same ticket is kept once; returns its path.
function Rename-Copy([string] $Copy, [byte[]] $Bytes) {
    try {
        $target = [IO.Path]::Combine([IO.Path]::GetDirectoryName($Copy), (Get-Sha256 $Bytes) + '.json')
        [IO.File]::Delete($target)
        [IO.File]::Move($Copy, $target)
        return $target
    } catch {
        return $Copy
    }
}

function New-Client {
    Add-Type -AssemblyName System.Net.Http
    # Windows PowerShell may otherwise offer only older versions.
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    # A redirect is a mistake in the URL. Following it could show the ticket to somebody else.
    $handler = [Net.Http.HttpClientHandler]::new()
    $handler.AllowAutoRedirect = $false
    $client = [Net.Http.HttpClient]::new($handler)
    $client.Timeout = [TimeSpan]::FromSeconds(20)
    return $client
}

# Returns the status, or 0 if there was no response; its text; and the seconds that Retry-After asks for.
function Send-Body($Client, [byte[]] $Bytes, [string] $Signature, [string] $DeliveryId) {
    $request = [Net.Http.HttpRequestMessage]::new([Net.Http.HttpMethod]::Post, $Url)
    $request.Content = [Net.Http.ByteArrayContent]::new($Bytes)
    $request.Content.Headers.ContentType = [Net.Http.Headers.MediaTypeHeaderValue]::new('application/json')
    [void] $request.Headers.TryAddWithoutValidation('X-ServiceDesk-Signature', $Signature)
    [void] $request.Headers.TryAddWithoutValidation('webhook-id', $DeliveryId)
    try {
        $response = $Client.SendAsync($request).GetAwaiter().GetResult()
        $text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
    } catch {
        return @{ Status = 0; Text = (Get-Reason $_); Seconds = 0 }
    }
    $seconds = 0
    $retryAfter = $response.Headers.RetryAfter
    if ($retryAfter -and $retryAfter.Delta) { $seconds = [int] $retryAfter.Delta.TotalSeconds }
    return @{ Status = [int] $response.StatusCode; Text = $text; Seconds = $seconds }
}

# Posts until the answer is final, and returns that.
function Send-Ticket([byte[]] $Bytes) {
    if ($Url -notmatch '^https://') { throw '-Url must begin with https://' }
    [byte[]] $key = [Text.Encoding]::UTF8.GetBytes((Get-Secret))
    $signature = Get-Hexadecimal ([Security.Cryptography.HMACSHA256]::new($key).ComputeHash($Bytes))
    $deliveryId = if ($Id) { $Id } else { 'sha256-' + (Get-Sha256 $Bytes) }
    $client = New-Client
    foreach ($pause in 1, 2, 4, 0) {
        $answer = Send-Body $client $Bytes $signature $deliveryId
        if ($answer.Status -notin 0, 429, 502, 503, 504 -or $pause -eq 0) { return $answer }
        Start-Sleep -Seconds ([Math]::Min([Math]::Max($pause, $answer.Seconds), 10))
    }
}

# Returns the JSON object that the text is, or nothing: a gateway may answer anything.
function ConvertTo-Object([string] $Text) {
    try { $value = $Text | ConvertFrom-Json } catch { return $null }
    if ($value -is [Management.Automation.PSCustomObject]) { return $value }
    return $null
}

function Get-Failure($Answer, $Parsed) {
    if ($Answer.Status -eq 0) { return "no response: $($Answer.Text)" }
    $listed = @($Parsed.errors | Where-Object { $_ -is [Management.Automation.PSCustomObject] })
    $faults = @($listed | ForEach-Object { "$($_.field) $($_.message)" }) -join '; '
    if ($faults) { $faults = ": $faults" }
    $origin = if ($Parsed.request_id) { "request $($Parsed.request_id)" } else { "not the responder's answer" }
    return "$($Answer.Status) $($Parsed.detail)$faults ($origin)" -replace '\s+', ' '
}

$job = $null
$copy = $null
$notCopied = ''
try {
    [byte[]] $body = [IO.File]::ReadAllBytes((Get-FullPath $Path))
    if ($Keep) {
        try { $copy = Save-Copy $body } catch { $notCopied = "; not kept: $(Get-Reason $_)" }
    }
    $answer = Send-Ticket $body
    $parsed = ConvertTo-Object $answer.Text
    if ($answer.Status -eq 202) { $job = $parsed.job_id }
    $message = if ($job) { "queued as job $job" } else { Get-Failure $answer $parsed }
} catch {
    $message = Get-Reason $_
}
if ($job) {
    if ($copy) { Remove-Item -LiteralPath $copy -ErrorAction SilentlyContinue }
} elseif ($copy) {
    $message += "; kept as $(Rename-Copy $copy $body)"
} else {
    $message += $notCopied
}
$result = if ($job) { 'success' } else { 'failure' }
[ordered] @{ result = $result; message = $message } | ConvertTo-Json -Compress
if ($job) { exit 0 }
exit 1
