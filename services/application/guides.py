"""How to install a certificate: one guide a server, about the very files that lie beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.dnsnames import WILDCARD, is_address


@dataclass(frozen=True, slots=True)
class About:
    """What a guide speaks of. `stem` is what the files are called before their endings."""

    stem: str
    names: tuple[str, ...]
    sha256_fingerprint: str
    not_after: str
    has_key: bool

    @property
    def host(self) -> str:
        """A name that can be connected to, as an example."""
        hosts = [name for name in self.names if not name.startswith(WILDCARD)]
        return hosts[0] if hosts else self.names[0].replace("*", "www", 1)


def nginx(about: About) -> str:
    """Guide through nginx 1.13 or later."""
    stem = about.stem
    return f"""# {about.host} on nginx

{_introduction(about)}
- `{stem}.fullchain.pem`: the certificate, and after it the CA that issued it
{_key(about)}
1. Copy both to the server, where only root can read them:

       install -d -m 700 /etc/nginx/ssl
       install -m 600 {stem}.fullchain.pem {stem}.key /etc/nginx/ssl/

2. Put this into the configuration, such as `/etc/nginx/conf.d/{stem}.conf`:

       server {{
           listen 443 ssl;
           listen [::]:443 ssl;
           server_name {" ".join(about.names)};

           ssl_certificate     /etc/nginx/ssl/{stem}.fullchain.pem;
           ssl_certificate_key /etc/nginx/ssl/{stem}.key;
           ssl_protocols       TLSv1.2 TLSv1.3;
       }}

3. Try it, and let it take effect: `nginx -t && nginx -s reload`

{_check(about)}"""


def apache(about: About) -> str:
    """Guide through Apache 2.4.8 or later, which takes the chain from the certificate's file."""
    stem = about.stem
    names = [name for name in about.names if not is_address(name) and name != about.host]
    aliases = f"    ServerAlias {' '.join(names)}\n       " if names else ""
    return f"""# {about.host} on Apache

{_introduction(about)}
- `{stem}.fullchain.pem`: the certificate, and after it the CA that issued it
{_key(about)}
1. Copy both to the server, where only root can read them:

       install -d -m 700 /etc/apache2/ssl
       install -m 600 {stem}.fullchain.pem {stem}.key /etc/apache2/ssl/

2. Put this into the configuration, such as `/etc/apache2/sites-available/{stem}.conf`:

       <VirtualHost *:443>
           ServerName {about.host}
       {aliases}    SSLEngine on
           SSLCertificateFile    /etc/apache2/ssl/{stem}.fullchain.pem
           SSLCertificateKeyFile /etc/apache2/ssl/{stem}.key
           SSLProtocol           -all +TLSv1.2 +TLSv1.3
       </VirtualHost>

3. Try it, and let it take effect: `a2enmod ssl; a2ensite {stem}; apachectl configtest &&
   apachectl graceful`. (Where there is no `a2enmod`, as on Red Hat's systems, the folder is
   `/etc/httpd` and `mod_ssl` a package.)

{_check(about)}"""


def tomcat_pfx(about: About) -> str:
    """Guide through Tomcat 8.5 or later with a PKCS #12 file."""
    return _tomcat(about, f"{about.stem}.pfx", "PKCS12")


def tomcat_jks(about: About) -> str:
    """Guide through Tomcat 8.5 or later with a Java key store."""
    return _tomcat(about, f"{about.stem}.jks", "JKS")


def iis(about: About) -> str:
    """Guide through IIS 10 on Windows Server 2019 or later."""
    return f"""# {about.host} on IIS

{_introduction(about)}
- `{about.stem}.pfx`: the certificate, the CA that issued it and the private key (PKCS #12)
- `password.txt`: the password of the file above

1. In PowerShell as administrator, in the folder with these files:

       $password = ConvertTo-SecureString (Get-Content .\\password.txt) -AsPlainText -Force
       $certificate = Import-PfxCertificate -FilePath .\\{about.stem}.pfx `
           -CertStoreLocation Cert:\\LocalMachine\\My -Password $password

2. Bind it to the site, here `Default Web Site`; once for each name:

       New-WebBinding -Name "Default Web Site" -Protocol https -Port 443 `
           -HostHeader "{about.host}" -SslFlags 1
       (Get-WebBinding -Name "Default Web Site" -Protocol https -HostHeader "{about.host}").
           AddSslCertificate($certificate.Thumbprint, "My")

3. Delete `{about.stem}.pfx` and `password.txt`.

{_check(about)}"""


GUIDES: dict[str, Callable[[About], str]] = {
    "nginx": nginx,
    "apache": apache,
    "tomcat-pfx": tomcat_pfx,
    "tomcat-jks": tomcat_jks,
    "iis": iis,
}


def _tomcat(about: About, store: str, kind: str) -> str:
    return f"""# {about.host} on Tomcat

{_introduction(about)}
- `{store}`: the certificate, the CA that issued it and the private key ({kind})
- `password.txt`: the password of the file above

1. Copy `{store}` to the server, where only Tomcat can read it:

       install -m 600 -o tomcat {store} "$CATALINA_BASE/conf/"

2. Put this into `$CATALINA_BASE/conf/server.xml`, with what `password.txt` holds for PASSWORD:

       <Connector port="8443" protocol="org.apache.coyote.http11.Http11NioProtocol"
                  SSLEnabled="true" scheme="https" secure="true">
         <SSLHostConfig protocols="TLSv1.2+TLSv1.3">
           <Certificate certificateKeystoreFile="conf/{store}"
                        certificateKeystoreType="{kind}"
                        certificateKeystorePassword="PASSWORD"
                        certificateKeyAlias="{about.stem}"/>
         </SSLHostConfig>
       </Connector>

3. Start Tomcat again. What is in the file is shown by
   `keytool -list -v -keystore {store} -storepass:file password.txt`.

{_check(about, port=8443)}"""


def _introduction(about: About) -> str:
    names = ", ".join(about.names)
    return f"""The certificate ends {about.not_after}. Install it on every server that answers to
one of its names: {names}.

- `root.pem`: the root. Servers do not send it; programs that do not know it yet have to trust it"""


def _key(about: About) -> str:
    if about.has_key:
        return f"- `{about.stem}.key`: the private key (PKCS #8). Whoever has it is you\n"
    return f"""
The private key is **not** here: you have made the request yourself, and we have never seen its
key. Put your key beside the other files, as `{about.stem}.key`.
"""


def _check(about: About, port: int = 443) -> str:
    address = f"[{about.host}]" if ":" in about.host else about.host
    sni = "" if is_address(about.host) else f" -servername {about.host}"
    return f"""See whether it is served:

       openssl s_client -connect {address}:{port}{sni} </dev/null |
           openssl x509 -noout -sha256 -fingerprint

It has to be {_pairs(about.sha256_fingerprint)}.
"""


def _pairs(fingerprint: str) -> str:
    """Write hex as openssl does."""
    octets = [fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)]
    return ":".join(octets).upper()
