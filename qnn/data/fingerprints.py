"""Recognise a set of images as MNIST, Fashion-MNIST, or neither.

Both sets use the same file names, so a name proves nothing.  This module keeps a sketch of each:
the CRC-32 of every image's pixels above 127, if that number is a multiple of 128, with the image's
label in the bits that this leaves free.  About one image in 128 is looked up, so a part of a few
hundred images is recognised too, in any order and any kind of file.  So are copies whose grey
values were rounded or scaled to 0 .. 1.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np

from formulations.arrays import Array, IntArray

EVERY = 128
"""One image in this many is looked up, on average."""


def matches(X: Array, y: Array) -> dict[str, tuple[int, int | None, bool, bool]]:
    """Compare 28 x 28 images with each of the published sets; the result is by set name.

    Parameters
    ----------
    X : array, shape (N, d)
        Grey values from 0 to 255, or from 0 to 1.
    y : array, shape (N,)
        Labels.

    Returns
    -------
    dict
        For each set: the number of looked-up images found in it; how many of these have its label,
        None for labels that are not integers; True if the images are those of the set, that is if
        at least half of those looked up were found; and True if most of those found have another
        label than in the set.

    Examples
    --------
    >>> matches(np.zeros((3, 784)), np.zeros(3))["mnist"]
    (0, None, False, False)
    """
    numbers, rows = _numbers(X)
    labels = y[rows].astype(np.int64) if y.dtype.kind in "iu" else None
    result = {}
    for name, text in SKETCHES.items():
        sketch = np.frombuffer(base64.b85decode("".join(text.split())), dtype="<u4")
        known, label = sketch - sketch % EVERY, sketch % EVERY
        place = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        hit = known[place] == numbers
        found = int(hit.sum())
        same = None if labels is None else int((label[place] == labels)[hit].sum())
        others = same is not None and 2 * same < found
        result[name] = found, same, found > 0 and 2 * found >= len(numbers), others
    return result


def _numbers(X: Array) -> tuple[Array, IntArray]:
    """Return the CRC-32 of the images to look up, and their rows."""
    if X.shape[1] != 784:
        return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int64)
    middle = 127 if X.dtype == np.uint8 or X.max() > 1 else 0.5
    packed = np.packbits(X > middle, axis=1)
    numbers = np.array([zlib.crc32(row) for row in packed], dtype=np.uint32)
    rows = np.flatnonzero(numbers % EVERY == 0)
    return numbers[rows], rows


SKETCHES = {
    "mnist": """
iCzK#2K+Gq1FU@j0veJ4h|-t<g<it|gdObw0OdRZ0+B@l1^rk7hCu8A2lDv=hCRjt3Gz<^i1=3nhoNl)1U_>E0&JWEh>_d_hN$)
hgYRz!hQyc#gu&wmgd<c3gb{EDhoAlkhGcyT0YT*oi8AvFhJ-B(fm}Zegk-@B0zcCYfyOlsiRZTt1aTk_hWTs{2n~7<g~g)}g@z
6g0<#?u2kNm92J89|1)l#91p`?U2V;m5hwhFNhClfdhot@zgDZ>^iNyC4i1ZN@1-vvA2Bvcq1Dg{S1RF9H1l_Y02zG-OiR?KSf_
c3c1b_$_f_-rqgfM0qgD7Yj1lgP!2+!{sh)c{G2LaL=1Enn+0s3wm1j^JLh=wa2gXJ9_glaq<h!L?L1Vm{d1ro9#g*-MPgrPYjh
zB|*h5AD#feT_M2!)*|2PsJ?1sb3#h!fZ<2j*%kf-agY2(cqA05*RuhSlpWhva!K0m9ZUf$zpJ1n=fBfm!u1iD(}&11HHbhNa>$
0#^Ak1-)J}0}+rigzPOdh#zD$1>nmxgG}l)3DiV2fh)o{fy>=DfHVU*gNidagmGXvf>78vgyr}+2>_Wofh7bx0?;%&gW*g&g<{D
(0W9J?hT#`IgybYW1U&yeh~#5FfeCIthttMBf{r~uhTBU&hfYsFfTgNG2c4`x0hswefbf4n3DVs_1-<D&3DFusfSDXY2G$=zf)`
Lh14gt#1B}i=0|*d8fHbi}ggx0p1;`~s2(#Klhdxk5gZ_R*1WPkTiRoKKh(T*bhwF|-hMi|dh4+F+fbud&31B}*29t<K0^wOng?
&Ctf*QU{g7#@l0zNBF2`5TU1%Yo)i8Ad@0Kp|sf)7(q1|wHbg68K?gya8E0fDYj1c{GQh)hpY1<-d>1@_ic2%QX6hhJJ$fu)61i
7=g12d#Nlhmf9D0>92!gf;V60XO+rgYsBe2eoinfP&Fkg+w!2f`CF=2LXUufpV8xhwT<yh%5M9fCYqI02RYs0hjGv33E<f1oL%X
iQlkZ0R0|cg|?nw2K1$02>`xdg6(f$1xa#Xh>Uz-0+ym+2jjC~0`3@MfWt>(h>`$fg1}y539VscgS>`g1@M<+0cS{L0>b8Gf%FS
yfIvWH1yxLC0-33003WSo0RS^*2V{|E25(4bh+s))iK;<r1JkE!1~lGk0ewen0$HbPh+q0^1>kCI12>Xv2*;*u1heaGh0FkLf<Y
*40vttcfP{i=0Ys;52VKi;0O2!kgEo9_hXDm|1?nPi0Z9&U0FZHT0w#}f0j<q(2Vnzphqs|}fbW8Hfljn@g{tOth^y~*g<}YJ1B
79Ci7cyl1&3mJfM$ky2o|7vgzv|Cfj8uO1kvewg<bD@3Fe)9hg;)(g{k#@hSGt40}Ggb2I}B`1PaoDg5@%T3104kgW~Ukh8{eFg
U^10iHSml2Eu-XfY8*02NMW|fN3Lz0~B6`h1TPRiC&wAhAX6oiTwbFh-E~FfXjA=0I{Qo1f<@F0%V1VhjOrp23$Rffn<G&f^)Zt
f-1s_2v5t31e2zV33bwo10Ix&1kdw~guP~sg&}&42o{=+g}t$j2HwGqf=Bj^1s@8IiGMAQ26$4A2T^a13H9ub0956V08A5*h`2A
1hgUd|g2j80f=Gmsg#PD|1+5p7f>wr-f>@)H30bF-gf!5S2cHd-3AGrL3F8`*hYmxN13a{o27tbkgbO>AfNH;#1Kkpq13Dj;0(5
AWf~mch312IigdKU9ghh~;1S_7I0gp?X0;I;81U&?s2`?9$1jBfo1%!f}fI4}dh_n-)fE>!6f#MXO17Sv=2#-yl1-R^=hOc#?hA
0@Jhh#^g2rr<a0-5Te0)+~qg`xqY1Ii_%hb3yGhu|orf)HM$2$Jrk0Cyp!1ELD1223HQgIT?%i5!ck1OA|=gSF?Uh9U8%0|^hPg
UT|f1ldfef`y={hwrqghhT%L2#rsw1_lMJfjg<JgrCf;h!gRw0GJM~fnj{D0K|K)0K|Q+fqWyc3G0%u2_~YjgPW1D0HM{f2HvT%
h7IVl2Vm*4hO`5;gIhba1BO+!2MQpy0lqA?2Fq);g5$2WiS%!_243&BiS&54hq}wRgs$1Q1H5av2ngP|0n!h-2hF;<09e$yiL%t
W0JJB%0Nbs)fF0Vqh9)PxgZ6H`hi<662)?bngu?c`h#v&KgQ-fr35@-{0G1cN0<vqr2)UHMhEMFj0dY{kh=Bva0AwY>05^offHS
4S0v}<+0v?3JfZ3A6f^y%)0su3`hr+nUhvd}7frJ^xhNWP}1~UN11+j|9hRndn2PLw|1ob7!2~si1gP}Ibh47)tfVqpx3C6j~hb
qv@07~)70;WvNiSf$JfyDF70)Gb0i8?mT0myyMfX;@_2EdcffP|vX21~ro0BGsXhq<WFgX%fZf|KRZfgM)T0j6=%fWLdv1L>>Mh
e@u|fD-D`i0MVs0XAmSfr#GIg!(qrgaCikg8RMH3Ar8BhNC3a2a%xGhF-ST1P?yfiMU_b0clp*2h{@FiMJHm0}vP52;WZHfM{;o
2f(u0i4N)72`r`Dhh?kWha#5U31q|Fgi_Dl1Johk1Pwsn2{Y2)fd=y50m2I417YmoiFmT%0pc9uf%~`P0LJ#?fJV~f23`2%h?oH
7363b`hw;be0yWm=2_og@gNse)2bkRF1_?6g1S$#XgpWDt2%6FA07q8q2T9TE3CY*&1oQRmgjWgeg;$pChQhGz2;IZ&iK{Q}fs{
k<fz;aX3FlbwhP&7B1=3XU1(WCTgUmVdg7QG}1Ru2W13*>th9YP42-*Ad1ribUfjHsy0=nz<2!u%X0nS|ahcaUKh@6=C1{Ngw0Z
KXf048nugjFT_2=TM}1YNoM01rm{2NF~JgZqyAhTzQmh$R2}2=^NN0uBoOgPlD6hM7|R0<>KIh<%IxhTAg#
""",
    "fashion": """
1Yb)50bYUufd@$f1`cNeiJ#j72)-x-hR#+4iP>@k1@9;X0NQN?iAj+J0ES`(hl73v0Ro5x2ojYAh-Ie*0EWp0h1G8cg~ksEiAwJ
YhBdJYhNayK129z!2-4#Vg-j6)30ofw36oX~1!$5C0RYhr0(aC6068iT1wbzk1wAMb2u)%Tgn6wH175Ze28HMlfWa;ih=E5DiGZ
6C30jpBhEbprfXAj1hbq4lh#6)SfVZ_2fOvEjhCx9V2JI{t2gUst2U$oMfK*i&2&GpUgJ)$L1hAnR1<tt|2TRc!1V$tq2-w0Mg)
IFY0~sYA0z)z$g`k%nhrr<;hDHM)0+fOug%S!Pf-3|gg7j)51@??11o-bGfJXl#0}xLn0qyA|0^n68hk_?2f-N^DiEBD0h38r(0
abt|g45zA25<5vfI2KE0g_KA0ef910D*NU0@fxdgh41Mf(Ozm0%{~Gh2lXf0-L@nhDygO3AI=&07x7yg;2{a1(=pDgA8sjh!{37
2?GN$2cg3;02>4{1Clf{0CpcU2)c<g0U4Gv0lx$^gp3U|1H~0JfPH8+g<8xt2@l^jf)@@phq%r*32*f_g^pe~fpRf8hPs3}0F%r
(3DV~{g*Qk!2V%!Lfg0dB1^f{@gDE09f+xp1gcwRYg?CUpgHDw@0e>qz26s9<foWAd1dWS4h<PGCgLS?=hsyXp2~Ph#37e8Wg3_
Npi4dngg|5mzg-7Q;1i&~y0uxU^htA+X05?rQgMhg}h@s3tiTlt%1EAkPfgb2UgGI|i2B*(Lg);L(f<O>N1XFEAgb|TN0nvp<hQ
x74086|_g0m1v2HMm~hIrRWhR6#_2Zbd|hVCXyh>1)~0e@;s32wYg2JX*G2#63&h`1O`gfk^f1M`tg2NPvY1T)c1hpyXA34dWu0
(Njt1rUr*2&P0&1+kw`gUN1C0$tuvf_B4E1dtR`fWaG51k{UC376MWf+sywfl-4~iJS^l0<7Rv2d@2814-Cbg$oT<fnr)$2dQ>f
0SmBKh$F>Uf)3qR1!IU=2x<~q1N?Ye15>G50EhNlgf#nGiM3f=hN693fNPjsg7y7fgFydXg#C?PgCuuf0bze%iT!V2fgz7z2;!?
@f>onpf{n0Zg(d-GhHWlm0>E=)3Af&3f&!CdhNA0a0jKz60&FB@gK=VJ2<>-f0iBO)2oBL~fQ-~^fkWYJfY9-51^G;E2Xv}!hs>
&N1S;fhgLxQk2uUh#1Xt2-g+t?RfhYZL2)uD`f^Vd60BhWDf&`9mhO@wMhP2vn2WSFu1EN!L0!D^%gt3Kl2`$`n0C+ld0+$SSfx
4%52zvu}0CItM1>mxGfH=r^h=*Kwi9Nn}gS3r#1MppXgHQH)hvhzdgTbnMhGlMi0-Z~JfIJI+0PrJzf{PJ=flmv80Qn+;2uT5g1
>u^5gRrcF21n_Gg${Rwfr!k61mjbNfXt_chbhE{1e-;NhDB$G2>H5)h}lGl1PG^y07t}#feG!1hG0sG1|Ri_g}(TSiL5q?gTzCM
0r)zLiR$``hHDIr262syhnJs>0I7<NhvWs0fOBPz2N`vag4*YfhPeWdglbKXgrH=Q12l1v2zsQDgePE;iQs^d1bSAI0t|VQfB>?
RfrAy3h(*nl2vi!B1d}h60&PQ-g__Wm167Tc0UDu|0!i4F1)$iK1ZHNI2!&^shGTe^h6{t11av)@f(Me931oMehq|?xh<@#u2?B
PR0ctFohb2v#iHWG1g#>S#g|>E^fur!7fM|A{2)HSpg6J-u2a|%H2l=<2h3`L~1u3VW2=ca{h4;#z0|eQh1E{T_1fSZV2apz_0`
iQZ1hMg<11Aci03Sl4iR1aAffo{^iFs$Fg1c*^hnK3P2z}h7gE*I_1A*(N1$z9Z2rFNwhQD2?fSF;bfxow@2JzXc2Z7|N2X5%8f
!+YBfHfMbg&U=+0bIVSfm{Eohi?a~0CIk-2dBQQ1j%Ksh7pFXfq3by1___8hQi*i0DEY!1i$*P1Y-uU1UK)ng}yhjhvK-g37{Uc
g?Fg41DsX01aaN9fob}+gn&`D0yB5Ef{}%`0xjjY2&u2Q1I10bi6-K?2c`G90|rjI1+%QWfZe~kgr0M|g-jQ`hx;nLg~&v_1rd|
Hg@VPr2ajC60fe``hrHmu29y51gmVMFfeC581B|Y|2QbgRh?()ef(aMDgD!5sgCDoRf%(zE0^oST1F(L<hnkbYg79m?0)G3#1GP
fKgOhB-i4BXxg+bZFg4le-0T1!ShW#$Z1VA;#hGcZch=`2F0y5CXfH?HViQG)bgc4B4i1*IN2`4(piT=#UiCdz{0LQ+`i476T1(
J!%fq9V1fp+4`iB>4f0f)-V2Q50xhQ8;_fLaU9gO@1H2Dm}Zfst^|fxDf~20LcY1Os``gwz4h0?Q`Q32!;k05w9<gdoS!g^&8tg
o*yq0U!g?heZw20@;qz0Wty82Sgmy2f2FH0}-Fq0c5w;0gS)Zf;&If24z*&2L0OB08N<KhUWm;1IH}cg5lrUgUaFAgSc1P1g?78
f#!bNhDeFph>@_`fh@h+3CS_r38uu`hH2W|fi&yfgYWg+g#ugMhgfpmhXj({0Chv&h8uR?f|j1%g;np~2xT?j1Y+Xff+-Q;2scp
Sh<9`03Bh>bg*VCJ3Apd!hDChh0L262iA*cxiK1iWf&^vd00T+pf%%{2h`p=k39*^!h<4rS1^^c9fG?u$1&|T$21Iu531d0$2sM
81hHB*RiBnndi1t<S1P5mEhd!|L2#e(Nf-cJRfs&{7h-kF+1%QC|22;@XfmQ?e1BEvDgU2!Y2(UZ)h@D3I2*<bjhD1vIgX8M_2#
<gLfyK=J0&MC22M-tj
""",
}
"""Sketches of 571 and 558 images: little-endian four-byte numbers, ascending, in base 85."""
